//! Lengths of time, sizes, ranges and addresses as people write them.

/// The parsed value, or what is wrong: a message and a help line.
pub type Parsed<T> = Result<T, (String, String)>;

/// Milliseconds from `250ms`, `10s`, `5m`, `2h`, `30d`.
pub fn duration_ms(text: &str) -> Parsed<u64> {
    let factors = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
    with_unit(text, &factors).ok_or_else(|| {
        (
            format!("`{text}` is no length of time"),
            "write a whole number with its unit: `250ms`, `10s`, `5m`, `2h`, `30d`".to_owned(),
        )
    })
}

/// Bytes from `512`, `512B`, `64KiB`, `10MiB`, `2GiB`, or with decimal units `64KB`, `10MB`, `2GB`, `1TB`.
pub fn size_bytes(text: &str) -> Parsed<u64> {
    let factors = [
        ("", 1),
        ("B", 1),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
        ("KB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
    ];
    with_unit(text, &factors).ok_or_else(|| {
        (
            format!("`{text}` is no size"),
            "write a whole number with its unit: `512B`, `64KiB`, `10MiB`, `2GB`".to_owned(),
        )
    })
}

fn with_unit(text: &str, factors: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, factor) = factors.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// A host and a port from `name:8080`, `10.0.0.1:8080` or `[2001:db8::1]:8080`.
pub fn host_and_port(text: &str) -> Parsed<(String, u16)> {
    let wrong = |why: &str| {
        (format!("`{text}` is no address of a server: {why}"), "write `host:port`, such as `10.0.0.11:8080`".to_owned())
    };
    if text.contains("://") {
        return Err(wrong("it has a scheme; TLS is asked for by `tls` of the upstream"));
    }
    let (host, port) = text.rsplit_once(':').ok_or_else(|| wrong("the port is missing"))?;
    let port: u16 = port.parse().map_err(|_| wrong("the port is no number from 1 to 65535"))?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if bare.is_empty() || port == 0 {
        return Err(wrong("host or port is empty"));
    }
    if bare.parse::<std::net::Ipv6Addr>().is_err() && !bare.bytes().all(is_name) {
        return Err(wrong("the host has characters that no name has"));
    }
    Ok((bare.to_owned(), port))
}

/// A range of statuses from `200-399` or `204`.
pub fn status_range(text: &str) -> Parsed<(u16, u16)> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let range = low.trim().parse::<u16>().ok().zip(high.trim().parse::<u16>().ok());
    range.filter(|&(low, high)| (100..=599).contains(&low) && low <= high && high <= 599).ok_or_else(|| {
        (format!("`{text}` is no range of statuses"), "write `200-399`, or one status such as `204`".to_owned())
    })
}

/// A network from `10.0.0.0/8`, or a single address.
pub fn network(text: &str) -> Parsed<ipnet::IpNet> {
    let parsed = text.parse::<ipnet::IpNet>().ok();
    parsed.or_else(|| text.parse::<std::net::IpAddr>().ok().map(ipnet::IpNet::from)).ok_or_else(|| {
        (
            format!("`{text}` is no network"),
            "write it in CIDR notation, such as `10.0.0.0/8` or `2001:db8::/32`, or a single address".to_owned(),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        assert_eq!(duration_ms("10s").unwrap(), 10_000);
        assert_eq!(duration_ms("30d").unwrap(), 30 * 86_400_000);
        assert_eq!(size_bytes("64KiB").unwrap(), 65_536);
        assert_eq!(size_bytes("2 GB").unwrap(), 2_000_000_000);
        assert_eq!(size_bytes("17").unwrap(), 17);
        for wrong in ["", "s", "10", "10 parsecs", "-1s", "1.5s", "99999999999999999999d"] {
            assert!(duration_ms(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "KiB", "64kib", "99999999999999TB", "é"] {
            assert!(size_bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn addresses() {
        assert_eq!(host_and_port("a.b:80").unwrap(), ("a.b".to_owned(), 80));
        assert_eq!(host_and_port("[::1]:80").unwrap(), ("::1".to_owned(), 80));
        for wrong in ["a", "a:", "a:0", ":80", "http://a:80", "a b:80", "a:70000"] {
            assert!(host_and_port(wrong).is_err(), "{wrong}");
        }
        assert_eq!(status_range("200-399").unwrap(), (200, 399));
        assert!(status_range("399-200").is_err() && status_range("20").is_err());
        assert!(network("10.0.0.0/33").is_err() && network("10.0.0.1").is_ok());
    }
}
