//! The learner: observations in, endpoints out. Pure: no clock, no I/O, bounded memory.
//!
//! [`Learner::observe`] costs a few microseconds and never judges; [`Learner::refresh`] judges every group of hosts
//! that has grown enough since the last time, and makes the endpoints and the matcher anew.

use std::collections::HashMap;

use ml::hash::{BuildPassHasher, hash_bytes, mix};
use model::{EndpointId, Observation};
use schema::shape::ShapeLimits;

use crate::constraints::Constraints;
use crate::context::{Clients, HostContext, domain_of};
use crate::endpoint::{LearnedEndpoint, describe};
use crate::inventory::{Inventory, Key, keys, locate};
use crate::judge::{Branches, judge};
use crate::matcher::Matcher;
use crate::models::Models;
use crate::noise::Site;
use crate::path::{path_of, pieces, query_of};
use crate::protocol::hints;
use crate::request::{Agent, ClassMemory, Classes, Media, PathLooks, Signature, host_label, signature};
use crate::schemas::EndpointSchema;
use crate::snapshot::Memory;
use crate::trie::{MethodId, NodeId, Terminal, Trie, TrieLimits};

/// Bounds of a learner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LearnerLimits {
    /// Most groups of hosts; observations of further ones are counted and dropped.
    pub groups_max: usize,
    /// Most hosts told apart.
    pub hosts_max: usize,
    /// Most nodes of one group's trie.
    pub nodes_max: usize,
    /// Most exact children of one node.
    pub children_max: usize,
    /// Clients remembered.
    pub clients_max: usize,
    /// Request signatures remembered.
    pub signatures_max: usize,
    /// Most methods told apart; further ones share a name.
    pub methods_max: usize,
}

impl Default for LearnerLimits {
    fn default() -> Self {
        Self {
            groups_max: 64,
            hosts_max: 1024,
            nodes_max: 30_000,
            children_max: 512,
            clients_max: 32_768,
            signatures_max: 65_536,
            methods_max: 24,
        }
    }
}

/// A request below this probability never shapes the trie.
pub const ADMISSION_MIN: f32 = 0.05;
/// An endpoint below this probability is noise.
pub const ENDPOINT_MIN: f32 = 0.5;
/// A request below this probability is no API request even at an endpoint.
pub const REQUEST_MIN: f32 = 0.05;

/// Exchanges of an endpoint since it was last judged that all teach its schema; later ones do when they failed, when
/// they were sampled with their bodies, and one in [`SCHEMAS_ONE_IN`] of the others.
const SCHEMAS_ALL: u32 = 256;
/// See [`SCHEMAS_ALL`].
const SCHEMAS_ONE_IN: u32 = 16;

/// Paths remembered; a collision only costs a second look.
const PATHS_REMEMBERED: usize = 16 * 1024;
/// The number of no endpoint.
const NOT_FOUND: u32 = u32::MAX;

/// What was found out about the path and method of a request the last time they came.
#[derive(Clone, Copy, Debug, Default)]
struct PathSeen {
    /// A keyed hash of group, method and path.
    key: u64,
    looks: PathLooks,
    /// Where insertion led, while nothing has been evicted since.
    node: Option<NodeId>,
    evicted: u64,
    /// The endpoint by the last judgement; [`NOT_FOUND`] for none, `None` while nobody has asked.
    found: Option<u32>,
    judgement: u32,
}

/// Most exchanges kept until their endpoint is found.
const EARLY_MAX: usize = 4_096;
/// Most bytes of them.
const EARLY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Methods every learner knows, in the order of their ids.
pub const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// What is learned about one group of hosts.
#[derive(Clone, Debug)]
pub struct Group {
    /// The domain the hosts share.
    pub domain: Box<str>,
    /// The trie.
    pub trie: Trie,
    /// The last judgement.
    pub branches: Branches,
    /// The endpoints of the last judgement.
    pub found: Vec<Found>,
    /// Compiled templates of the last judgement; numbers are indices into `found`.
    pub matcher: Matcher,
    /// The keys of `found` in the inventory.
    keys: Vec<Key>,
    /// How many exchanges each of `found` has taught.
    taught: Vec<u32>,
    /// The trie's sequence at the last judgement.
    judged_at: u32,
    /// Numbers the judgements.
    judgement: u32,
}

impl Group {
    /// A path that many requests of an endpoint had.
    pub fn witness(&self, branch: usize, method: MethodId) -> String {
        let Some(nodes) = self.branches.get(branch).map(|branch| &branch.nodes) else { return String::new() };
        let successes = |id: &NodeId| {
            let terminals = self.trie.node(*id).map(|node| &node.terminals);
            terminals.and_then(|list| list.iter().find(|one| one.method == method)).map(|one| one.successes)
        };
        let Some(mut node) = nodes.iter().max_by_key(|id| (successes(id), std::cmp::Reverse(**id))).copied() else {
            return String::new();
        };
        let mut path = String::new();
        while let Some(one) = self.trie.node(node).filter(|one| one.parent != node) {
            path.insert_str(0, &one.text);
            if !one.joined {
                path.insert(0, '/');
            }
            node = one.parent;
        }
        path
    }

    /// The template of a branch in the spelling that a method's requests use most.
    pub fn spelled(&self, branch: usize, method: MethodId) -> String {
        let mut template = crate::judge::template(&self.branches, branch);
        let successes = |id: &NodeId| {
            let node = self.trie.node(*id)?;
            node.terminals.iter().find(|terminal| terminal.method == method).map(|terminal| terminal.successes)
        };
        let Some(nodes) = self.branches.get(branch).map(|branch| &branch.nodes) else { return template };
        let Some(mut node) = nodes.iter().max_by_key(|id| (successes(id), std::cmp::Reverse(**id))).copied() else {
            return template;
        };
        // From the last piece upwards, each literal takes the node's own spelling; only its case can differ.
        let (mut up, mut end) = (branch, template.len());
        while let (Some(branch), Some(spelled)) = (self.branches.get(up), self.trie.node(node)) {
            if branch.parent == up {
                break;
            }
            let text = branch.literal.as_deref().unwrap_or("{}");
            let Some(start) = template.get(..end).and_then(|part| part.rfind(text)) else { break };
            if branch.literal.is_some() && text.eq_ignore_ascii_case(&spelled.text) {
                template.replace_range(start..start + text.len(), &spelled.text);
            }
            (up, node, end) = (branch.parent, spelled.parent, start);
        }
        template
    }
}

/// An endpoint of the last judgement, before it is described.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// Index of its branch.
    pub branch: usize,
    /// Its method.
    pub method: MethodId,
    /// Probability of being an endpoint of an API.
    pub probability: f32,
}

/// Counters of what a learner did not keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Observations of hosts beyond the limit.
    pub hosts: u64,
    /// Observations without a host group.
    pub groups: u64,
}

/// Learns endpoints from observations.
#[derive(Clone, Debug)]
pub struct Learner {
    models: Models,
    limits: LearnerLimits,
    groups: Vec<Group>,
    group_of: HashMap<Box<str>, usize>,
    hosts: Vec<(Box<str>, usize, HostContext)>,
    host_of: HashMap<Box<str>, usize, BuildPassHasher>,
    methods: Vec<Box<str>>,
    clients: Clients,
    signatures: HashMap<u64, f32, BuildPassHasher>,
    paths: Vec<PathSeen>,
    classes: ClassMemory,
    constraints: Constraints,
    inventory: Inventory,
    shape_limits: ShapeLimits,
    /// Exchanges with endpoints that no judgement has found yet, by group: they teach as soon as one has.
    early: Vec<(usize, Observation)>,
    early_bytes: usize,
    key: u64,
    /// Observations taken.
    pub observed: u64,
    /// Observations dropped.
    pub dropped: Dropped,
}

/// How a request was placed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placed {
    /// Index of the group.
    pub group: usize,
    /// Index of the endpoint among the group's `found`.
    pub found: usize,
    /// Probability that this request is an API request.
    pub probability: f32,
}

impl Learner {
    /// A learner with the given models. `key` makes its hash tables unpredictable to outsiders; any number will do.
    pub fn new(models: Models, limits: LearnerLimits, key: u64) -> Self {
        Self {
            models,
            limits,
            groups: Vec::new(),
            group_of: HashMap::new(),
            hosts: Vec::new(),
            host_of: HashMap::default(),
            methods: METHODS.iter().map(|&method| method.into()).collect(),
            clients: Clients::new(limits.clients_max),
            signatures: HashMap::default(),
            paths: vec![PathSeen::default(); PATHS_REMEMBERED],
            classes: ClassMemory::default(),
            constraints: Constraints::default(),
            inventory: Inventory::default(),
            shape_limits: ShapeLimits { nodes_max: 1_000, ..ShapeLimits::default() },
            early: Vec::new(),
            early_bytes: 0,
            key,
            observed: 0,
            dropped: Dropped::default(),
        }
    }

    /// What is kept over a restart.
    pub(crate) fn memory(&self) -> Memory {
        let (known, next) = self.inventory.parts();
        Memory {
            key: self.key,
            observed: self.observed,
            groups: self.groups.iter().map(|group| (group.domain.clone(), group.trie.clone())).collect(),
            hosts: self.hosts.clone(),
            methods: self.methods.clone(),
            clients: self.clients.all(),
            known,
            next,
        }
    }

    /// A learner with a memory whose numbers fit together, judged anew.
    pub(crate) fn remembering(models: Models, limits: LearnerLimits, memory: Memory) -> Self {
        let mut learner = Self::new(models, limits, memory.key);
        let trie_limits = TrieLimits { nodes_max: limits.nodes_max, children_max: limits.children_max };
        for (domain, mut trie) in memory.groups {
            trie.complete(trie_limits);
            learner.group_of.insert(domain.clone(), learner.groups.len());
            learner.groups.push(Group {
                domain,
                trie,
                branches: Vec::new(),
                found: Vec::new(),
                matcher: Matcher::default(),
                keys: Vec::new(),
                taught: Vec::new(),
                judged_at: 0,
                judgement: 0,
            });
        }
        let numbered = memory.hosts.iter().enumerate();
        learner.host_of = numbered.map(|(number, (host, _, _))| (host.clone(), number)).collect();
        learner.hosts = memory.hosts;
        learner.methods = memory.methods;
        learner.clients.restore(memory.clients);
        learner.observed = memory.observed;
        learner.inventory = Inventory::of_parts(memory.known, memory.next);
        learner.refresh_all();
        learner
    }

    /// The operator's decisions.
    pub const fn constraints(&self) -> &Constraints {
        &self.constraints
    }

    /// Changes the operator's decisions; the next judgement obeys them everywhere.
    pub fn constrain(&mut self, change: impl FnOnce(&mut Constraints)) {
        change(&mut self.constraints);
        self.groups.iter_mut().for_each(|group| group.judged_at = 0);
    }

    /// Every endpoint ever found, with its history and its learned schema.
    pub const fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// The endpoints of the last judgements, described.
    pub fn endpoints(&self) -> Vec<LearnedEndpoint> {
        let mut endpoints = Vec::new();
        for (at, group) in self.groups.iter().enumerate() {
            for (found, (key, _)) in group.found.iter().zip(keys(self, at)) {
                let known = self.inventory.find(&key);
                let id = known.map_or(EndpointId(0), |known| known.id);
                let schema = known.is_some_and(|known| known.schema.is_known());
                endpoints.extend(describe(self, group, *found, id, schema));
            }
        }
        endpoints
    }

    /// What was learned about the messages of an endpoint.
    pub fn schema(&self, id: EndpointId) -> Option<&EndpointSchema> {
        self.inventory.all().find(|(_, known)| known.id == id).map(|(_, known)| &known.schema)
    }

    /// The models in use.
    pub const fn models(&self) -> &Models {
        &self.models
    }

    /// The groups of hosts.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The name of a method.
    pub fn method(&self, id: MethodId) -> &str {
        self.methods.get(usize::from(id)).map_or("OTHER", |method| method)
    }

    /// The name of a host by its index in terminals.
    pub fn host(&self, index: u16) -> &str {
        self.hosts.get(usize::from(index)).map_or("", |host| &host.0)
    }

    /// Takes one observation.
    pub fn observe(&mut self, observation: &Observation) {
        self.observed += 1;
        let Some(host) = self.host_index(&observation.host) else { return };
        let Some(group) = self.hosts.get(host).map(|host| host.1) else { return };
        let method = self.method_id(&observation.method);
        let mut path = self.path_seen(group, method, observation);
        let client = Clients::key(observation);
        let classes = self.classes.classes(observation);
        let probability = self.api_probability_at(observation, path.looks, classes, host, client);
        let disguised = self.hosts.get_mut(host).is_some_and(|(_, _, context)| {
            context.observe(observation, classes.response);
            context.error_shape_class(observation) == 3
        });
        if let Some(client) = client {
            self.clients.observe(client, observation, classes.response);
        }
        self.learn_schema(group, observation, &mut path);
        let success = (100..400).contains(&observation.status);
        let admitted = success && probability >= ADMISSION_MIN;
        let Some(trie) = self.groups.get_mut(group).map(|group| &mut group.trie) else { return };
        let node = match path.node {
            Some(node) if admitted => {
                trie.visit(node, client);
                Some(node)
            }
            Some(node) => Some(node),
            None if admitted => Some(trie.insert(&pieces(&observation.target), client)),
            None => trie.find(&pieces(&observation.target)),
        };
        let known = node
            .and_then(|node| trie.node(node))
            .is_some_and(|node| node.terminals.iter().any(|terminal| terminal.method == method));
        if let Some(node) = node.filter(|_| known || admitted)
            && let Some(terminal) = trie.terminal(node, method)
        {
            record(
                terminal,
                observation,
                classes,
                &Circumstances { probability, disguised, client, host: host as u16 },
            );
        }
        // What a walk without growth found may be a wildcard that the next insertion would not choose.
        path.node = node.filter(|_| admitted);
        self.remember(group, path);
    }

    /// What is remembered of a path, or a first look at it.
    fn path_seen(&self, group: usize, method: MethodId, observation: &Observation) -> PathSeen {
        let path = path_of(&observation.target);
        let key = hash_bytes(self.key ^ (group as u64) << 8 ^ u64::from(method), path.as_bytes());
        let Some(group) = self.groups.get(group) else { return PathSeen::default() };
        let slot = self.paths.get(key as usize % PATHS_REMEMBERED).filter(|slot| slot.key == key);
        let Some(slot) = slot else {
            let looks = PathLooks::of(path, &pieces(&observation.target));
            return PathSeen { key, looks, ..PathSeen::default() };
        };
        let mut seen = *slot;
        seen.node = seen.node.filter(|_| slot.evicted == group.trie.evicted);
        seen.found = seen.found.filter(|_| slot.judgement == group.judgement);
        seen
    }

    fn remember(&mut self, group: usize, mut path: PathSeen) {
        let Some(group) = self.groups.get(group) else { return };
        path.evicted = group.trie.evicted;
        path.judgement = group.judgement;
        if let Some(slot) = self.paths.get_mut(path.key as usize % PATHS_REMEMBERED) {
            *slot = path;
        }
    }

    /// The template of a found endpoint, parameters as `{}`, literals as most requests of its method spell them.
    pub fn template(&self, group: usize, found: usize) -> String {
        let Some(group) = self.groups.get(group) else { return String::new() };
        group.found.get(found).map_or_else(String::new, |one| group.spelled(one.branch, one.method))
    }

    /// An exchange of a known endpoint teaches its schema; one of an endpoint that is not known yet waits for the next
    /// judgement, as far as there is room.
    fn learn_schema(&mut self, group: usize, observation: &Observation, path: &mut PathSeen) {
        let Some(judged) = self.groups.get_mut(group) else { return };
        let found = *path.found.get_or_insert_with(|| {
            judged.matcher.find(&observation.method, &pieces(&observation.target)).unwrap_or(NOT_FOUND)
        });
        if let Some(taught) = judged.taught.get_mut(found as usize) {
            *taught = taught.saturating_add(1);
            // Failures are rare and each status is news.
            let success = (200..300).contains(&observation.status);
            let sampled = observation.sample.is_some();
            if !success || sampled || *taught <= SCHEMAS_ALL || taught.is_multiple_of(SCHEMAS_ONE_IN) {
                self.teach(group, found, observation);
            }
            return;
        }
        if !(200..300).contains(&observation.status) || observation.suspect || self.early.len() >= EARLY_MAX {
            return;
        }
        let bytes = early_bytes(observation);
        if self.early_bytes + bytes <= EARLY_BYTES_MAX {
            self.early_bytes += bytes;
            self.early.push((group, observation.clone()));
        }
    }

    fn teach(&mut self, group: usize, found: u32, observation: &Observation) {
        let Some(key) = self.groups.get(group).and_then(|group| group.keys.get(found as usize)) else { return };
        if let Some(known) = self.inventory.find_mut(key) {
            known.schema.observe(&key.2, observation, &self.shape_limits);
        }
    }

    /// What came before an endpoint was found teaches now; what still belongs nowhere is forgotten.
    fn teach_early(&mut self, group: usize) {
        let (now, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.early).into_iter().partition(|(of, _)| *of == group);
        self.early = later;
        for (_, observation) in now {
            let bytes = early_bytes(&observation);
            self.early_bytes = self.early_bytes.saturating_sub(bytes);
            let pieces = pieces(&observation.target);
            let found = self.groups.get(group).and_then(|group| group.matcher.find(&observation.method, &pieces));
            if let Some(found) = found {
                self.teach(group, found, &observation);
            }
        }
    }

    /// The node a path has now, for training and explanations.
    pub fn node_of(&self, observation: &Observation) -> Option<(usize, NodeId)> {
        let (_, group, _) = self.hosts.get(*self.host_of.get(&*observation.host)?)?;
        Some((*group, self.groups.get(*group)?.trie.find(&pieces(&observation.target))?))
    }

    /// Judges the groups that have grown by half since they were last judged. Gives how many were judged.
    pub fn refresh(&mut self) -> usize {
        let mut judged = 0;
        for at in 0..self.groups.len() {
            let due = self.groups.get(at).is_some_and(|group| {
                u64::from(group.trie.sequence) * 2 >= u64::from(group.judged_at) * 3
                    && group.trie.sequence > group.judged_at
            });
            if due {
                self.refresh_group(at);
                judged += 1;
            }
        }
        judged
    }

    /// Judges every group that has grown at all.
    pub fn refresh_all(&mut self) {
        for at in 0..self.groups.len() {
            if self.groups.get(at).is_some_and(|group| group.trie.sequence > group.judged_at) {
                self.refresh_group(at);
            }
        }
    }

    fn refresh_group(&mut self, at: usize) {
        let Some(group) = self.groups.get_mut(at) else { return };
        let branches = judge(&group.trie, &self.models, &self.constraints);
        let site = Site::of(&branches);
        let mut found = Vec::new();
        for (index, branch) in branches.iter().enumerate() {
            for terminal in branch.terminals.iter().filter(|terminal| terminal.successes > 0) {
                let Some(row) = site.row(&branches, index, terminal, &self.models.lexicon) else { continue };
                let probability = self.models.endpoint.probability(&row);
                if probability >= ENDPOINT_MIN {
                    found.push(Found { branch: index, method: terminal.method, probability });
                }
            }
        }
        let ends = found.iter().enumerate().map(|(number, one)| {
            let method = self.methods.get(usize::from(one.method)).map_or("OTHER", |method| method);
            (one.branch, method, number as u32)
        });
        group.matcher = Matcher::compile(&branches, ends);
        group.found = found;
        group.branches = branches;
        group.judged_at = group.trie.sequence;
        group.judgement = group.judgement.wrapping_add(1);
        group.taught = vec![0; group.found.len()];
        let domain = group.domain.clone();
        let found = keys(self, at);
        let mut inventory = std::mem::take(&mut self.inventory);
        inventory.update(&domain, self.observed, &found, |method, witness| locate(self, at, method, witness));
        self.inventory = inventory;
        if let Some(group) = self.groups.get_mut(at) {
            group.keys = found.into_iter().map(|(key, _)| key).collect();
        }
        self.teach_early(at);
    }

    /// Places a request among the endpoints of the last judgement; `None` for what is no API request.
    pub fn classify(&mut self, observation: &Observation) -> Option<Placed> {
        let host = *self.host_of.get(&*observation.host)?;
        let pieces = pieces(&observation.target);
        let (_, group, _) = self.hosts.get(host)?;
        let group = *group;
        let found = self.groups.get(group)?.matcher.find(&observation.method, &pieces)? as usize;
        let classes = self.classes.classes(observation);
        let looks = PathLooks::of(path_of(&observation.target), &pieces);
        let probability = self.api_probability_at(observation, looks, classes, host, Clients::key(observation));
        (probability >= REQUEST_MIN).then_some(Placed { group, found, probability })
    }

    /// The signature of a request in its present context, for training.
    pub fn signature(&mut self, observation: &Observation) -> Option<Signature> {
        let host = self.host_index(&observation.host)?;
        let classes = self.classes.classes(observation);
        let client = Clients::key(observation).and_then(|key| self.clients.find(key));
        let (_, _, context) = self.hosts.get(host)?;
        let looks = PathLooks::of(path_of(&observation.target), &pieces(&observation.target));
        Some(signature(observation, looks, classes, context, client))
    }

    fn api_probability_at(
        &mut self,
        observation: &Observation,
        looks: PathLooks,
        classes: Classes,
        host: usize,
        client: Option<u64>,
    ) -> f32 {
        let Some((_, _, context)) = self.hosts.get(host) else { return 0.0 };
        // A preflight asks about an endpoint and is none: it has no content.
        if &*observation.method == "OPTIONS" && classes.response == Media::None {
            return 0.0;
        }
        let client = client.and_then(|key| self.clients.find(key));
        let signature = signature(observation, looks, classes, context, client);
        let key = hash_bytes(self.key, &signature);
        if let Some(&probability) = self.signatures.get(&key) {
            return probability;
        }
        let probability = self.models.request.probability(&signature.map(f32::from));
        if self.signatures.len() >= self.limits.signatures_max {
            self.signatures.clear();
        }
        self.signatures.insert(key, probability);
        probability
    }

    fn method_id(&mut self, method: &str) -> MethodId {
        if let Some(at) = self.methods.iter().position(|known| **known == *method) {
            return at as MethodId;
        }
        if self.methods.len() >= self.limits.methods_max || method.len() > 20 {
            return MethodId::MAX;
        }
        self.methods.push(method.into());
        (self.methods.len() - 1) as MethodId
    }

    fn host_index(&mut self, host: &str) -> Option<usize> {
        if let Some(&index) = self.host_of.get(host) {
            return Some(index);
        }
        if self.hosts.len() >= self.limits.hosts_max || host.len() > 255 {
            self.dropped.hosts += 1;
            return None;
        }
        let domain = domain_of(host);
        let group = match self.group_of.get(domain) {
            Some(&group) => group,
            None if self.groups.len() >= self.limits.groups_max => {
                self.dropped.groups += 1;
                return None;
            }
            None => {
                let limits = TrieLimits { nodes_max: self.limits.nodes_max, children_max: self.limits.children_max };
                self.groups.push(Group {
                    domain: domain.into(),
                    trie: Trie::new(self.key, limits),
                    branches: Vec::new(),
                    found: Vec::new(),
                    matcher: Matcher::default(),
                    keys: Vec::new(),
                    taught: Vec::new(),
                    judged_at: 0,
                    judgement: 0,
                });
                self.group_of.insert(domain.into(), self.groups.len() - 1);
                self.groups.len() - 1
            }
        };
        let mut context = HostContext::new(domain);
        context.label = host_label(host);
        self.hosts.push((host.into(), group, context));
        self.host_of.insert(host.into(), self.hosts.len() - 1);
        Some(self.hosts.len() - 1)
    }

    /// About how many bytes the learner holds, models apart.
    pub fn bytes(&self) -> usize {
        let tries: usize = self.groups.iter().map(|group| group.trie.bytes()).sum();
        let paths = self.paths.len() * size_of::<PathSeen>();
        tries + paths + self.early_bytes + self.clients.len() * 32 + self.signatures.len() * 14 + self.hosts.len() * 200
    }
}

/// About how many bytes an exchange takes while it waits.
fn early_bytes(observation: &Observation) -> usize {
    512 + observation.sample.as_ref().map_or(0, |sample| sample.request.len() + sample.response.len())
}

/// What the learner knows about an exchange beside the exchange itself.
struct Circumstances {
    probability: f32,
    disguised: bool,
    client: Option<u64>,
    host: u16,
}

/// Writes one exchange into its terminal.
fn record(terminal: &mut Terminal, observation: &Observation, classes: Classes, known: &Circumstances) {
    let Circumstances { probability, disguised, client, host } = *known;
    let status = observation.status;
    let class = match status {
        0..=299 => 0,
        300..=399 => 1,
        401 | 403 => 2,
        400..=499 => 3,
        _ => 4,
    };
    if let Some(count) = terminal.classes.get_mut(class) {
        *count = count.saturating_add(1);
    }
    let at = observation.at.0;
    terminal.seen = match terminal.seen {
        (0, 0) => (at, at),
        (first, last) => (first.min(at), last.max(at)),
    };
    if status >= 400 || status == 0 {
        terminal.failures = terminal.failures.saturating_add(1);
        return;
    }
    terminal.successes = terminal.successes.saturating_add(1);
    terminal.api_sum += probability;
    let media = classes.response;
    terminal.structured += u32::from(media.structured());
    terminal.pages += u32::from(media == Media::Html);
    terminal.untyped += u32::from(media == Media::None);
    terminal.disguised += u32::from(disguised);
    terminal.sessions += u32::from(observation.session.is_some());
    terminal.credentials += u32::from(observation.credential == Some(true));
    terminal.credentials_known += u32::from(observation.credential.is_some());
    let agent = match classes.agent {
        Agent::Browser => Some(0),
        Agent::Library | Agent::Application => Some(1),
        Agent::Scanner | Agent::Crawler => Some(2),
        Agent::None | Agent::Probe => None,
    };
    if let Some(count) = agent.and_then(|at: usize| terminal.agents.get_mut(at)) {
        *count += 1;
    }
    terminal.size_sum += observation.response_bytes.map_or(0.0, |bytes| (bytes as f32).ln_1p());
    terminal.hints |= hints(observation, classes);
    if let Some(shape) = observation.response_shape.as_deref() {
        terminal.shaped = terminal.shaped.saturating_add(1);
        // A settled shape hardly changes; one look in eight keeps it fresh.
        if terminal.shaped <= 24 || terminal.shaped.is_multiple_of(8) {
            for &key in shape.iter().take(64) {
                terminal.shape.add(mix(1, key) as u32);
            }
        }
    }
    let query = query_of(&observation.target);
    if !query.is_empty() {
        terminal.queries = terminal.queries.saturating_add(1);
        for pair in query.split('&').take(16) {
            let name = pair.split('=').next().unwrap_or_default();
            if !name.is_empty() && name.len() <= 64 {
                terminal.query.add(hash_bytes(2, name.as_bytes()) as u32);
            }
        }
    }
    if let Some(client) = client {
        terminal.clients.add(client);
    }
    terminal.count_host(host, 1);
    if let Some(operation) = observation.operation.as_deref().filter(|name| !name.is_empty() && name.len() <= 128) {
        terminal.count_operation(operation, 1);
    }
}
