//! Start, reload, drain.

use gateway::Error;
use gateway::listen::Sockets;

use crate::rig::{Rig, config};

#[test]
fn a_reload_changes_the_route_and_what_is_under_way_finishes() {
    let rig = Rig::start();
    let mut client = rig.connect();
    client.send("GET /old HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut before = rig.accept();
    before.head();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut changed = config(other.local_addr().unwrap());
    changed.listeners[0].addr = rig.gateway.snapshot().config.listeners[0].addr;
    rig.gateway.reload(changed).unwrap();
    before.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold");
    client.read_to("old");
    client.send("GET /new HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut after = crate::rig::Peer::new(other.accept().unwrap().0);
    assert!(after.head().starts_with("GET /new "));
    after.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew");
    client.read_to("new");
}

#[test]
fn a_bad_reload_keeps_what_is_in_force() {
    let rig = Rig::start();
    let before = rig.gateway.snapshot();
    let mut bad = before.config.clone();
    bad.upstreams[0].servers[0].host = "no-such-host.invalid".into();
    assert!(matches!(rig.gateway.reload(bad), Err(Error::Resolve(_))));
    let mut moved = before.config.clone();
    moved.listeners[0].addr = "127.0.0.1:1".parse().unwrap();
    assert!(matches!(rig.gateway.reload(moved), Err(Error::NeedsRestart(_))));
    assert!(std::sync::Arc::ptr_eq(&before, &rig.gateway.snapshot()));
}

#[test]
fn draining_finishes_what_is_under_way_and_says_close() {
    let rig = Rig::start();
    let (mut busy, mut idle) = (rig.connect(), rig.connect());
    idle.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut upstream = rig.accept();
    upstream.head();
    upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    idle.read_to("ok");
    busy.send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    upstream.head();
    let (addr, gateway) = (rig.addr(), rig.gateway);
    let draining = std::thread::spawn(move || gateway.drain());
    // Once connecting fails the gateway has stopped accepting.
    let until = std::time::Instant::now() + crate::rig::PATIENCE;
    while std::net::TcpStream::connect(addr).is_ok() {
        assert!(std::time::Instant::now() < until, "the gateway goes on accepting");
        std::thread::yield_now();
    }
    upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    busy.read_to("ok");
    // A kept connection may still be used for one last request.
    idle.send("GET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
    upstream.head();
    upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlast");
    let (text, in_order) = idle.rest();
    assert!(text.contains("Connection: close") && text.ends_with("last") && in_order, "{text}");
    assert_eq!(busy.rest(), (String::new(), true));
    draining.join().unwrap();
}

#[test]
fn a_port_in_use_is_one_clear_sentence() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = config("127.0.0.1:1".parse().unwrap());
    config.listeners[0].addr = taken.local_addr().unwrap();
    let text = Sockets::open(&config).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(text.starts_with("cannot listen on `127.0.0.1:"), "{text}");
}

#[test]
fn a_reload_keeps_what_is_known_of_a_server_that_failed() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut rig = Rig::with(|config| {
        let dead = gateway::config::Server { host: "127.0.0.1".into(), port: closed, weight: 1 };
        config.upstreams[0].servers.insert(0, dead);
        config.upstreams[0].ejection = gateway::config::Ejection { failures_max: 1, eject_ms: 600_000 };
        config.upstreams[0].retries.budget_percent = 100;
    });
    let answered = |rig: &mut Rig| {
        let mut client = rig.connect();
        client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        rig.accept().send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
        assert!(client.rest().0.ends_with("ok"));
        rig.event().retries
    };
    // One of the first two meets the dead server, which is taken out.
    assert_eq!(answered(&mut rig) + answered(&mut rig), 1);
    // The same servers in another order, with another weight.
    let mut changed = rig.gateway.snapshot().config.clone();
    changed.upstreams[0].servers.reverse();
    changed.upstreams[0].servers[1].weight = 2;
    rig.gateway.reload(changed).unwrap();
    for _ in 0..6 {
        assert_eq!(answered(&mut rig), 0, "a reload sent traffic to a server known to be dead");
    }
}
