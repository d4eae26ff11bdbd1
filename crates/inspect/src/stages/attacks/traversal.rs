//! Climbing out of a directory, naming files that no client should name, and stream wrappers.

use super::family::{Family, Weight};
use super::gate::{Marker, any, start};
use super::text::{Text, has, is_word, window};
use crate::values::{Role, Spot};

pub(super) const MARKERS: &[Marker] = &[
    any(0, "../"),
    any(0, "..\\"),
    any(0, "..;/"),
    any(0, "..//"),
    any(0, "..%2f"),
    any(0, "..%5c"),
    any(0, "%2e%2e"),
    any(0, "..2f"),
    any(0, "..5c"),
    any(0, ".%2e"),
    any(0, "/.."),
    any(0, "\\.."),
    any(0, ".../"),
    any(0, "...\\"),
    any(0, ".\\.\\"),
    any(4, "/%2e"),
    any(5, "..%c0"),
    any(5, "..%u2"),
    any(6, "2e2e2f"),
    any(0, "..0x2f"),
    any(0, "..0x5c"),
    any(5, "..%bg%"),
    any(10, "etc/passwd"),
    any(10, "etc/shadow"),
    any(9, "etc/group"),
    any(8, "etc/hosts"),
    any(9, "etc/issue"),
    any(9, "etc/sudoers"),
    any(9, "etc/crontab"),
    any(8, "etc/hostname"),
    any(9, "etc/mysql/"),
    any(9, "etc/apache"),
    any(9, "etc/nginx"),
    any(9, "etc/httpd"),
    any(8, "etc/ssh/"),
    any(8, "etc/my.cnf"),
    any(8, "etc/motd"),
    any(8, "etc/fstab"),
    any(8, "etc/resolv.conf"),
    any(8, "etc/php"),
    any(8, "etc/init.d"),
    any(8, "etc/network"),
    any(8, "etc/security"),
    any(8, "etc/master.passwd"),
    any(8, "etc/ftpusers"),
    any(8, "etc/kubernetes"),
    any(8, "etc/profile"),
    any(8, "etc/lsb-release"),
    any(8, "etc/redhat-release"),
    any(7, "etc/samba"),
    any(7, "etc/vsftpd"),
    any(7, "etc/proftpd"),
    any(7, "etc/exports"),
    any(7, "etc/inetd"),
    any(7, "etc/logrotate"),
    any(7, "etc/pam"),
    any(7, "etc/os-release"),
    any(7, "etc/wu-ftpd"),
    any(7, "etc/chrootusers"),
    any(7, "etc/snmp"),
    any(7, "etc/passwd-"),
    any(8, "etc\\passwd"),
    any(8, "etc%c0%afpasswd"),
    any(9, "/private/etc"),
    any(9, "proc/self/"),
    any(8, "/proc/version"),
    any(8, "/proc/cmdline"),
    any(8, "/proc/cpuinfo"),
    any(8, "/proc/mounts"),
    any(8, "/proc/net/"),
    any(8, "/proc/1/"),
    any(7, "/proc/sched"),
    any(7, "/proc/meminfo"),
    any(7, "proc/self"),
    any(8, "boot.ini"),
    any(8, "win.ini"),
    any(8, "system.ini"),
    any(6, "system32"),
    any(7, "windows/win"),
    any(6, "windows\\"),
    any(6, "winnt/"),
    any(6, "winnt\\"),
    any(7, "ntuser.dat"),
    any(7, "autoexec.bat"),
    any(7, "global.asa"),
    any(6, "inetpub"),
    any(8, "\\c$\\"),
    any(8, "/c$/"),
    any(8, "unattend.xml"),
    any(8, "sysprep"),
    any(8, "repair/sam"),
    any(8, "repair\\sam"),
    any(7, "\\config\\sam"),
    any(7, "sam.log"),
    any(6, "iis6.log"),
    any(6, "php.ini"),
    any(6, "my.ini"),
    any(6, "pagefile.sys"),
    any(8, "web-inf/"),
    any(7, "meta-inf/"),
    any(7, "web.config"),
    any(6, ".htaccess"),
    any(6, ".htpasswd"),
    any(7, "wp-config"),
    any(6, "/.env"),
    any(7, "/.git/"),
    any(7, "/.svn/"),
    any(6, "/.hg/"),
    any(8, "/.ssh/"),
    any(8, ".ssh/id_rsa"),
    any(6, "id_rsa"),
    any(6, "id_dsa"),
    any(7, "/.aws/"),
    any(6, "/.docker"),
    any(6, "/.kube/"),
    any(6, ".bash_history"),
    any(6, ".bashrc"),
    any(6, ".mysql_history"),
    any(5, "authorized_keys"),
    any(6, "/.ds_store"),
    any(5, "/.idea/"),
    any(5, "/.vscode/"),
    any(6, "/.npmrc"),
    any(6, "/.netrc"),
    any(6, "config.inc.php"),
    any(6, "configuration.php"),
    any(5, "/config.php"),
    any(5, "phpinfo.php"),
    any(5, "database.yml"),
    any(5, "settings.py"),
    any(6, "localconfig"),
    any(6, "var/log/"),
    any(6, "var/www/"),
    any(6, "var/run/"),
    any(6, "var/lib/"),
    any(7, "var/spool/"),
    any(7, "var/adm/"),
    any(6, "access_log"),
    any(6, "error_log"),
    any(5, "access.log"),
    any(5, "error.log"),
    any(6, "usr/local/apache"),
    any(6, "opt/lampp"),
    any(6, "usr/local/etc"),
    any(6, "usr/local/php"),
    any(6, "usr/share/"),
    any(6, "usr/lib/"),
    any(6, "xampp"),
    any(6, "apache/conf"),
    any(6, "apache2/"),
    any(6, "httpd.conf"),
    any(6, "apache/logs"),
    any(6, "nginx.conf"),
    any(6, "program files"),
    any(4, "/root/"),
    any(6, "/dev/null"),
    any(0, "%c0%"),
    any(0, "%c1%"),
    any(0, "%%32%%"),
    any(0, "%%35%%"),
    any(0, "etc%"),
    any(0, "passwd"),
    any(0, "..%u"),
    any(7, "/tomcat-users.xml"),
    any(7, "/run/secrets/"),
    any(5, "/home/"),
    any(6, "sshd_config"),
    any(5, "logs/"),
    any(5, "my.cnf"),
    any(6, "mysql.log"),
    any(5, "proftpd"),
    any(5, "vsftpd"),
    any(6, "boot/grub"),
    any(6, "apache group"),
    any(6, "apache software"),
    start(0, "http://"),
    start(0, "https://"),
    start(10, "php://"),
    start(10, "phar://"),
    start(10, "expect://"),
    start(8, "zip://"),
    start(9, "glob://"),
    start(9, "ogg://"),
    start(9, "rar://"),
    start(9, "ssh2."),
    start(9, "compress.zlib://"),
    start(9, "compress.bzip2://"),
    start(8, "zlib:"),
    start(7, "data://"),
    start(8, "file://"),
    start(8, "file:/"),
    start(8, "netdoc:"),
    start(8, "jar:http"),
    start(8, "jar:file"),
    start(7, "ldap://"),
    start(10, "php:filter"),
    any(8, "convert.base64"),
    any(8, "read=string"),
    start(6, "ftp://"),
    any(5, "::$data"),
    any(4, "%00"),
    any(5, ".php?"),
    any(4, "?/"),
];

/// Weighs a text.
pub(super) fn detect(text: &Text<'_>, weight: &mut Weight) {
    let climbs = climbs(text.low);
    let file_name = matches!(text.spot, Spot::FileName(_));
    let in_path = matches!(text.spot, Spot::Path | Spot::Segment(_) | Spot::FileName(_));
    let mut best = 0u32;
    let mut second = 0u32;
    let mut name = "";
    for hit in text.hits(Family::Traversal) {
        let points = u32::from(hit.marker.points);
        if points > best {
            second = best;
            best = points;
            name = hit.marker.text;
        } else if points > second && hit.marker.text != name {
            second = points;
        }
    }
    weight.add(in_broken_spelling(text), "a known file in a broken spelling");
    // A file somebody writes about is none that somebody asks for.
    let short = text.raw.len() <= 512;
    let mentioned = climbs == 0 && is_mentioned(text.low);
    if text.prose || mentioned || text.role == Role::File {
        best /= 2;
        second /= 3;
    }
    let whole =
        starts_like_a_path(text.low) && !text.prose && !text.low.iter().any(|byte| matches!(byte, b' ' | b'<' | b'\n'));
    weight.add(best, name);
    weight.add(second.min(4), "another such name");
    if best >= 5 && climbs > 0 {
        weight.add(6, "climbs to a known file");
    }
    if best >= 5
        && whole
        && short
        && matches!(text.spot, Spot::Query(_) | Spot::Form(_) | Spot::Json(..) | Spot::Part(_) | Spot::Header(..))
    {
        // An agent of a machine reports such paths in documents; a parameter that names one asks for it.
        let asked = matches!(text.spot, Spot::Query(_) | Spot::Form(_));
        weight.add(if asked { 4 } else { 3 }, "nothing but a path");
    }
    let web_asset = [
        ".png", ".jpg", ".svg", ".gif", ".css", ".js", ".ts", ".html", ".md", ".vue", ".tsx", ".jsx", ".scss", ".json",
    ]
    .iter()
    .any(|end| text.low.ends_with(end.as_bytes()));
    let points = match climbs {
        0 => 0,
        1 | 2 if file_name => 10,
        1 if whole && text.low.starts_with(b"..\\") => 10,
        1 if in_path => 6,
        1 if whole && !web_asset => 6,
        1 => 2,
        2 if web_asset || text.prose => 3,
        2 => {
            if whole || in_path {
                10
            } else {
                5
            }
        }
        _ if text.prose || has(text.low, "import ") || has(text.low, "require(") => 4,
        3 | 4 if web_asset && !in_path => 4,
        _ => 10,
    };
    weight.add(points, "climbs out of the directory");
    remote_file(text, weight);
    if text.low.starts_with(b"\\\\")
        && text.low.len() > 4
        && !text.prose
        && text.low.get(2).is_some_and(|byte| is_word(*byte) || *byte == b':')
    {
        weight.add(6, "network share");
    }
}

/// True for a text of many words in which a path only comes up: it begins with words, and most of its words are plain.
fn is_mentioned(low: &[u8]) -> bool {
    let words = || window(low, 1024).split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let plain = words().filter(|word| word.iter().all(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80)).count();
    let begins = words().take(1).all(|word| word.iter().all(u8::is_ascii_alphabetic));
    begins && plain >= 7 && plain * 3 >= words().count() * 2
}

/// An address where a path of this server was expected: by the name of the parameter, or a script on a bare IP.
fn remote_file(text: &Text<'_>, weight: &mut Weight) {
    let scheme =
        ["http://", "https://", "ftp://", "ftps://"].iter().find(|scheme| text.low.starts_with(scheme.as_bytes()));
    let Some(scheme) = scheme else { return };
    const PATHS: &[&str] = &[
        "path]",
        "absolute_path",
        "root_path",
        "_path",
        "basepath",
        "include",
        "incdir",
        "inc_dir",
        "base_dir",
        "basedir",
        "root_dir",
        "template_dir",
        "config[",
        "globals[",
        "libdir",
        "lib_dir",
        "phpbb_root",
        "docroot",
        "document_root",
        "sourcedir",
        "abspath",
        "skin_dir",
        "theme_dir",
        "plugin_dir",
    ];
    if let Spot::Query(name) | Spot::Form(name) = text.spot {
        let name = name.to_ascii_lowercase();
        weight.add(if PATHS.iter().any(|part| has(&name, part)) { 10 } else { 0 }, "an address for a path");
    }
    let rest = text.from(scheme.len());
    let host = rest.split(|byte| matches!(byte, b'/' | b'?')).next().unwrap_or_default();
    let bare = host.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b':')) || host.starts_with(b"[");
    let ends_in_mark = text.low.ends_with(b"?") || text.low.ends_with(b"%00");
    if !bare && !ends_in_mark {
        return;
    }
    let script =
        [".php", ".asp", ".jsp", ".txt", ".cgi", ".gif?", ".pl", ".sh"].iter().any(|ending| has(text.low, ending));
    weight.add(
        if script && (bare || ends_in_mark) {
            8
        } else if bare {
            3
        } else {
            0
        },
        "a script elsewhere",
    );
    if bare && script && !text.prose && text.raw.len() < 200 {
        weight.add(2, "nothing but an address");
    }
}

/// `etc%c1%pcpasswd`, `%c0%fe%c0%fe`: escapes that are none, or of bytes that no UTF-8 has (RFC 3629, section 1), which some
/// decoders take for dots and slashes.
fn in_broken_spelling(text: &Text<'_>) -> u32 {
    if text.prose || text.listing || text.raw.len() > 2048 {
        return 0;
    }
    let joined = text.find_all("etc").take(16).any(|at| {
        let rest = window(text.from(at + 3), 40);
        let name = ["passwd", "shadow", "issue", "hosts", "group"]
            .iter()
            .filter_map(|name| memchr::memmem::find(rest, name.as_bytes()))
            .min();
        name.and_then(|end| rest.get(..end)).is_some_and(|between| {
            let odd = between.iter().any(|byte| matches!(byte, b'%' | 0x80..) || byte.is_ascii_control());
            !between.is_empty() && odd && !between.contains(&b' ')
        })
    });
    let never = ["%c0%", "%c1%", "%%32%%", "%%35%%", "%%c0", "%%c1"]
        .iter()
        .map(|escape| text.find_all(escape).take(8).count())
        .sum::<usize>();
    match (joined, never) {
        (true, _) => 10,
        (_, 2..) if has(text.low, "..") || never >= 4 => 10,
        (_, 2..) => 6,
        _ => 0,
    }
}

/// How often a text climbs, in any of the spellings that some server reads as `../`.
fn climbs(low: &[u8]) -> usize {
    let mut count = 0;
    let mut at = 0;
    while let Some(found) = memchr::memmem::find(low.get(at..).unwrap_or_default(), b"..") {
        at += found;
        let dots = low.get(at..).unwrap_or_default().iter().take_while(|&&byte| byte == b'.').count();
        // `https://...`: an address that is left out.
        if low.get(..at).is_some_and(|head| head.ends_with(b"://")) {
            at += dots;
            continue;
        }
        let rest = low.get(at + dots..).unwrap_or_default();
        let before = at.checked_sub(1).and_then(|at| low.get(at)).copied();
        let separated = matches!(
            before,
            None | Some(b'/' | b'\\' | b'=' | b';' | b'"' | b'\'' | b':' | b',' | b'(' | b' ' | b'?' | b'&')
        ) || before.is_some_and(|byte| !byte.is_ascii_alphanumeric());
        let slash = matches!(rest.first(), Some(b'/' | b'\\'))
            || rest.starts_with(b";/")
            || rest.starts_with(b"%2f")
            || rest.starts_with(b"%5c")
            || rest.starts_with(b"0x2f")
            || rest.starts_with(b"0x5c")
            || (rest.starts_with(b"2f") || rest.starts_with(b"5c")) && dots == 2
            || rest.starts_with(b"%c0")
            || rest.starts_with(b"%c1")
            || rest.starts_with(b"%25")
            || rest.starts_with(b"%u")
            // Private characters (U+E000 to U+F8FF), which tables of best fits turn into signs.
            || matches!(rest, [0xee, 0x80..=0xbf, ..] | [0xef, 0x80..=0xa3, ..]);
        let last = rest.is_empty() && matches!(before, Some(b'/' | b'\\'));
        if slash && dots <= 4 && (separated || count > 0) || last {
            count += 1;
        }
        at += dots;
    }
    let spelt = |needle: &str| memchr::memmem::find_iter(low, needle.as_bytes()).take(64).count();
    count
        .max(spelt("%2e%2e%2f"))
        .max(spelt("%2e%2e/"))
        .max(spelt("%2e%2e\\"))
        .max(spelt("%2e%2e%5c"))
        .max(spelt(".\\./"))
        .max(spelt(".\\.\\"))
        .max(spelt(".?/"))
}

fn starts_like_a_path(low: &[u8]) -> bool {
    match low {
        [b'/', byte, ..] => *byte != b'/',
        [b'.', b'.' | b'/' | b'\\', ..] => true,
        [letter, b':', b'\\' | b'/', ..] => letter.is_ascii_alphabetic(),
        _ => has(low.get(..low.len().min(10)).unwrap_or_default(), "://"),
    }
}
