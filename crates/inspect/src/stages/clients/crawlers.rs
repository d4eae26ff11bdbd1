//! Known crawlers, by the names they give themselves, and how such a claim is proved.
//!
//! Only crawlers whose operators say how to verify them are here: a claim that cannot be checked is worth nothing. The
//! check itself needs the network and happens off the path; its result comes in as a [`CrawlerCheck`].

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

/// How an operator lets others verify its crawler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The address resolves to a name under one of these domains, and that name resolves to the address again.
    ReverseDns(&'static [&'static str]),
    /// The operator publishes its address ranges.
    PublishedRanges,
}

/// A crawler that can be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crawler {
    /// What its user agent contains, without regard to case.
    pub agent: &'static str,
    /// Who runs it.
    pub operator: &'static str,
    /// How a claim is proved.
    pub proof: Proof,
}

/// What is known of a claim.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CrawlerCheck {
    /// Not checked yet, or the check found no answer.
    #[default]
    Unknown,
    /// The address is the crawler's.
    Confirmed,
    /// The address is not the crawler's.
    Refuted,
}

const GOOGLE: Proof = Proof::ReverseDns(&["googlebot.com", "google.com", "googleusercontent.com"]);
const BING: Proof = Proof::ReverseDns(&["search.msn.com"]);
const YANDEX: Proof = Proof::ReverseDns(&["yandex.ru", "yandex.net", "yandex.com"]);

const fn crawler(agent: &'static str, operator: &'static str, proof: Proof) -> Crawler {
    Crawler { agent, operator, proof }
}

/// Every crawler known here. Where one name begins another, the longer stands first.
pub static CRAWLERS: &[Crawler] = &[
    crawler("Googlebot", "Google", GOOGLE),
    crawler("AdsBot-Google", "Google", GOOGLE),
    crawler("Mediapartners-Google", "Google", GOOGLE),
    crawler("APIs-Google", "Google", GOOGLE),
    crawler("Storebot-Google", "Google", GOOGLE),
    crawler("Google-InspectionTool", "Google", GOOGLE),
    crawler("GoogleOther", "Google", GOOGLE),
    crawler("FeedFetcher-Google", "Google", GOOGLE),
    crawler("bingbot", "Microsoft", BING),
    crawler("adidxbot", "Microsoft", BING),
    crawler("BingPreview", "Microsoft", BING),
    crawler("msnbot", "Microsoft", BING),
    crawler("YandexBot", "Yandex", YANDEX),
    crawler("YandexImages", "Yandex", YANDEX),
    crawler("YandexMobileBot", "Yandex", YANDEX),
    crawler("YandexMetrika", "Yandex", YANDEX),
    crawler("Baiduspider", "Baidu", Proof::ReverseDns(&["baidu.com", "baidu.jp"])),
    crawler("Yahoo! Slurp", "Yahoo", Proof::ReverseDns(&["crawl.yahoo.net"])),
    crawler("Applebot", "Apple", Proof::ReverseDns(&["applebot.apple.com"])),
    crawler("SeznamBot", "Seznam", Proof::ReverseDns(&["seznam.cz"])),
    crawler("PetalBot", "Huawei", Proof::ReverseDns(&["petalsearch.com", "aspiegel.com"])),
    crawler("Pinterestbot", "Pinterest", Proof::ReverseDns(&["pinterest.com"])),
    crawler("LinkedInBot", "LinkedIn", Proof::ReverseDns(&["linkedin.com"])),
    crawler("Amazonbot", "Amazon", Proof::ReverseDns(&["crawl.amazonbot.amazon"])),
    crawler("AhrefsBot", "Ahrefs", Proof::ReverseDns(&["ahrefs.com", "ahrefs.net"])),
    crawler("SemrushBot", "Semrush", Proof::ReverseDns(&["semrush.com"])),
    crawler("coccocbot", "Coc Coc", Proof::ReverseDns(&["coccoc.com"])),
    crawler("Naverbot", "Naver", Proof::ReverseDns(&["naver.com"])),
    crawler("DuckDuckBot", "DuckDuckGo", Proof::PublishedRanges),
    crawler("DuckAssistBot", "DuckDuckGo", Proof::PublishedRanges),
    crawler("facebookexternalhit", "Meta", Proof::PublishedRanges),
    crawler("meta-externalagent", "Meta", Proof::PublishedRanges),
    crawler("Twitterbot", "X", Proof::PublishedRanges),
    crawler("TelegramBot", "Telegram", Proof::PublishedRanges),
    crawler("GPTBot", "OpenAI", Proof::PublishedRanges),
    crawler("OAI-SearchBot", "OpenAI", Proof::PublishedRanges),
    crawler("ChatGPT-User", "OpenAI", Proof::PublishedRanges),
    crawler("PerplexityBot", "Perplexity", Proof::PublishedRanges),
    crawler("CCBot", "Common Crawl", Proof::PublishedRanges),
    crawler("UptimeRobot", "UptimeRobot", Proof::PublishedRanges),
];

/// `None` only if the constant patterns did not compile, which the tests rule out.
static AGENTS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .kind(Some(AhoCorasickKind::DFA))
        .build(CRAWLERS.iter().map(|crawler| crawler.agent))
        .ok()
});

/// The longest user agent looked at; longer ones are cut.
const AGENT_BYTES_MAX: usize = 512;

/// The crawler that a user agent claims to be.
pub fn claimed_crawler(agent: &[u8]) -> Option<&'static Crawler> {
    let agent = agent.get(..AGENT_BYTES_MAX).unwrap_or(agent);
    let found = AGENTS.as_ref()?.find(agent)?;
    CRAWLERS.get(found.pattern().as_usize())
}

/// True when a host name found for the client's address is one of the crawler's. Whoever asks must have resolved the name
/// forward to the same address as well.
pub fn is_host_of(crawler: &Crawler, host: &str) -> bool {
    let Proof::ReverseDns(domains) = crawler.proof else { return false };
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    domains.iter().any(|domain| host.strip_suffix(domain).is_some_and(|front| front.is_empty() || front.ends_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_recognised() {
        let claimed = |agent: &str| claimed_crawler(agent.as_bytes()).map(|crawler| crawler.operator);
        assert_eq!(claimed("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"), Some("Google"));
        assert_eq!(claimed("GOOGLEBOT"), Some("Google"));
        assert_eq!(
            claimed("Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)"),
            Some("Microsoft")
        );
        for other in ["", "curl/8.5.0", "Mozilla/5.0 (Linux; Android 9; CUBOT X19) Chrome/120.0 Mobile", "MyBot/1.0"] {
            assert_eq!(claimed(other), None, "{other}");
        }
        for crawler in CRAWLERS {
            assert_eq!(claimed(crawler.agent), Some(crawler.operator), "{}", crawler.agent);
        }
    }

    #[test]
    fn hosts_are_matched_at_labels() {
        let google = claimed_crawler(b"Googlebot").unwrap();
        assert!(is_host_of(google, "crawl-66-249-66-1.googlebot.com."));
        assert!(is_host_of(google, "Rate-Limited-Proxy.GOOGLE.com"));
        assert!(!is_host_of(google, "evilgooglebot.com"));
        assert!(!is_host_of(google, "googlebot.com.evil.example"));
        assert!(!is_host_of(claimed_crawler(b"GPTBot").unwrap(), "openai.com"));
    }
}
