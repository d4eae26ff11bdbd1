//! Stage `clients`: allow and deny lists by client address, and identities that a client claims falsely.

pub mod crawlers;

use std::net::IpAddr;

use ip_network_table::IpNetworkTable;
use ipnet::IpNet;
use model::finding::{Confidence, Finding, Findings, Place};
use model::head::{Known, RequestHead};
use model::reason::{ClientReason, Reason, StageId};

use crate::policy::Policy;
use crate::stage::Stage;
use crate::view::RequestView;
use crawlers::{CrawlerCheck, claimed_crawler};

/// Allow and deny lists. An address on both is denied; a list of allowed addresses that is not empty denies the rest.
#[derive(Clone, Default)]
pub struct ClientLists {
    allow: Option<Networks>,
    deny: Option<Networks>,
}

impl std::fmt::Debug for ClientLists {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientLists").field("allow", &self.allow.is_some()).field("deny", &self.deny.is_some()).finish()
    }
}

type Networks = std::sync::Arc<IpNetworkTable<()>>;

impl ClientLists {
    /// Lists from networks in CIDR notation.
    pub fn new(allow: &[IpNet], deny: &[IpNet]) -> Self {
        Self { allow: table(allow), deny: table(deny) }
    }

    fn judge(&self, client: IpAddr) -> Option<ClientReason> {
        let client = client.to_canonical();
        let on = |list: &Networks| list.longest_match(client).is_some();
        if self.deny.as_ref().is_some_and(on) {
            return Some(ClientReason::Denied);
        }
        self.allow.as_ref().is_some_and(|list| !on(list)).then_some(ClientReason::NotAllowed)
    }
}

fn table(networks: &[IpNet]) -> Option<Networks> {
    if networks.is_empty() {
        return None;
    }
    let mut table = IpNetworkTable::new();
    for network in networks {
        let truncated = ip_network_table_entry(*network)?;
        table.insert(truncated, ());
    }
    Some(std::sync::Arc::new(table))
}

/// `ip_network` wants host bits cleared, which `IpNet::trunc` does, so the conversion cannot fail.
fn ip_network_table_entry(network: IpNet) -> Option<ip_network::IpNetwork> {
    let network = network.trunc();
    ip_network::IpNetwork::new(network.network(), network.prefix_len()).ok()
}

/// The stage.
pub struct Clients;

impl Stage for Clients {
    fn id(&self) -> StageId {
        StageId::Clients
    }

    fn judge_request(&self, policy: &Policy, request: &RequestView<'_>, out: &mut Findings) {
        if let Some(reason) = policy.clients.judge(request.client) {
            out.push(Finding::new(Reason::Client(reason), Confidence::Sure, Place::Connection, ""));
        }
        let agent = request.head.fields.first(Known::UserAgent).unwrap_or_default();
        out.extend(judge_crawler(agent, CrawlerCheck::Unknown));
        out.extend(judge_browser(agent, request.head, request.connection.tls));
    }
}

/// Judges a user agent that claims to be a known crawler by what the check of its address found.
pub fn judge_crawler(agent: &[u8], check: CrawlerCheck) -> Option<Finding> {
    let crawler = claimed_crawler(agent)?;
    let (reason, confidence) = match check {
        CrawlerCheck::Confirmed => return None,
        CrawlerCheck::Unknown => (ClientReason::CrawlerUnverified, Confidence::Hint),
        CrawlerCheck::Refuted => (ClientReason::FakeCrawler, Confidence::Sure),
    };
    let place = Place::Header("user-agent".into());
    Some(Finding::new(Reason::Client(reason), confidence, place, &format!("claims {}", crawler.agent)))
}

/// Every browser of the last years says which languages and codings it takes, and over TLS where the request comes from
/// (Fetch Metadata). A script that borrows a browser's user agent forgets them.
fn judge_browser(agent: &[u8], head: &RequestHead, tls: bool) -> Option<Finding> {
    if !tls || !agent.starts_with(b"Mozilla/5.0 (") || memchr::memmem::find(agent, b"compatible;").is_some() {
        return None;
    }
    let has = |known| head.fields.first(known).is_some();
    // Views inside applications and old devices leave out one or two of them.
    if has(Known::AcceptLanguage) || has(Known::AcceptEncoding) || has(Known::SecFetchMode) {
        return None;
    }
    let is_browser =
        [&b"Chrome/"[..], b"Firefox/", b"Safari/"].iter().any(|name| memchr::memmem::find(agent, name).is_some());
    let place = Place::Header("user-agent".into());
    let reason = Reason::Client(ClientReason::AgentContradicted);
    is_browser
        .then(|| Finding::new(reason, Confidence::Likely, place, "no Accept-Language, Accept-Encoding, Sec-Fetch-Mode"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deny_wins_and_an_allow_list_denies_the_rest() {
        let networks = |list: &[&str]| list.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpNet>>();
        let lists = ClientLists::new(&networks(&["10.0.0.0/8", "2001:db8::/32"]), &networks(&["10.1.2.3/16"]));
        let judge = |client: &str| lists.judge(client.parse().unwrap());
        assert_eq!(judge("10.0.0.1"), None);
        assert_eq!(judge("::ffff:10.0.0.1"), None);
        assert_eq!(judge("2001:db8::1"), None);
        assert_eq!(judge("10.1.0.1"), Some(ClientReason::Denied));
        assert_eq!(judge("192.0.2.1"), Some(ClientReason::NotAllowed));
        assert_eq!(ClientLists::default().judge("192.0.2.1".parse().unwrap()), None);
    }

    #[test]
    fn a_claim_is_judged_by_its_check() {
        let judge = |agent: &str, check| judge_crawler(agent.as_bytes(), check).map(|finding| finding.confidence);
        assert_eq!(judge("Googlebot/2.1", CrawlerCheck::Unknown), Some(Confidence::Hint));
        assert_eq!(judge("Googlebot/2.1", CrawlerCheck::Refuted), Some(Confidence::Sure));
        assert_eq!(judge("Googlebot/2.1", CrawlerCheck::Confirmed), None);
        assert_eq!(judge("curl/8.5.0", CrawlerCheck::Refuted), None);
    }
}
