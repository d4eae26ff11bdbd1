//! Stage `clients`: allow and deny lists by client address.

use std::net::IpAddr;

use ip_network_table::IpNetworkTable;
use ipnet::IpNet;
use model::finding::{Confidence, Finding, Findings, Place};
use model::reason::{ClientReason, Reason, StageId};

use crate::policy::Policy;
use crate::stage::Stage;
use crate::view::RequestView;

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
    }
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
}
