//! Volumes that shall get another size: which claims ask for what. Pure; [`ask`] is the edge.
//!
//! Kubernetes grows a volume when its claim asks for more. A claim that asked in vain may ask for less
//! again, but for more than it has: that is how Kubernetes lets a failed growth be corrected. What the
//! API server refuses is left as it is and told; the StatefulSet follows its volumes, see
//! [`crate::desired`].

pub mod ask;

use crate::desired::mongodb::pods_to_keep;
use crate::names::Tier;
use crate::plan::Plan;
use crate::snapshot::volumes::Amount;
use crate::snapshot::{Snapshot, Volume};

/// A claim that shall ask for another size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resize {
    /// Name of the claim.
    pub claim: String,
    /// The very claim decided upon.
    pub uid: String,
    /// Its StorageClass.
    pub class: Option<String>,
    /// Size it asks for now.
    pub from: String,
    /// Size to ask for.
    pub to: String,
}

/// What the API server answered to a claim that it did not let grow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What was asked.
    pub resize: Resize,
    /// Why not, in the server's words.
    pub why: String,
}

/// The volumes of one tier and the size they shall have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volumes {
    /// Wanted size.
    pub wanted: Amount,
    /// Claims that exist.
    pub volumes: Vec<Volume>,
    /// How many there shall be.
    pub count: usize,
}

/// The volumes of a database tier.
pub fn volumes(plan: &Plan, snapshot: &Snapshot, tier: Tier) -> Volumes {
    let identity = &plan.identity;
    let (storage, pods): (_, Vec<String>) = if tier == Tier::Redis {
        let pods = super::redis_wanted(plan).shards.into_iter().flat_map(|shard| shard.pods);
        (&plan.redis.storage, pods.collect())
    } else {
        let kept = 0..pods_to_keep(plan, snapshot);
        (&plan.mongodb.storage, kept.map(|ordinal| identity.mongodb_pod(ordinal)).collect())
    };
    let count = pods.len();
    Volumes { wanted: Amount::parse(&storage.size), volumes: snapshot.children.volumes_of(pods), count }
}

/// Every claim that asks for another size than it shall.
pub fn next(plan: &Plan, snapshot: &Snapshot) -> Vec<Resize> {
    let both = [Tier::MongoDb, Tier::Redis].map(|tier| volumes(plan, snapshot, tier));
    both.iter().flat_map(Volumes::resizes).collect()
}

impl Volumes {
    fn resizes(&self) -> impl Iterator<Item = Resize> {
        self.volumes.iter().filter(|volume| self.asks_for_another_size(volume)).map(|volume| Resize {
            claim: volume.claim.clone(),
            uid: volume.uid.clone(),
            class: volume.class.clone(),
            from: volume.requested.text.clone(),
            to: self.wanted.text.clone(),
        })
    }

    fn asks_for_another_size(&self, volume: &Volume) -> bool {
        let (wanted, requested, has) = (self.wanted.bytes, volume.requested.bytes, volume.capacity.bytes);
        volume.is_bound && has < wanted && requested != wanted
    }

    /// Those smaller than wanted.
    pub fn too_small(&self) -> impl Iterator<Item = &Volume> {
        self.volumes.iter().filter(|volume| volume.capacity.bytes < self.wanted.bytes)
    }

    /// The largest that exists: the least that the spec may ask for, since no volume shrinks.
    pub fn largest(&self) -> Option<&Amount> {
        let sizes = self.volumes.iter().map(|volume| &volume.capacity);
        sizes.filter(|size| size.bytes > 0).max_by_key(|size| size.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volumes(wanted: &str, requested: &str, capacity: &str) -> Volumes {
        let volume = Volume {
            pod: "db-0".to_owned(),
            claim: "data-db-0".to_owned(),
            uid: "c-1".to_owned(),
            class: Some("fast".to_owned()),
            is_bound: true,
            is_leaving: false,
            requested: Amount::parse(requested),
            capacity: Amount::parse(capacity),
            obstacle: None,
        };
        Volumes { wanted: Amount::parse(wanted), volumes: vec![volume], count: 1 }
    }

    #[test]
    fn a_claim_asks_for_what_is_wanted_and_never_for_less_than_it_has() {
        for (wanted, requested, capacity, asks) in [
            ("2Gi", "1Gi", "1Gi", true),
            ("2Gi", "2Gi", "1Gi", false),
            ("2048Mi", "2Gi", "1Gi", false),
            ("2Gi", "2Gi", "2Gi", false),
            // A driver that rounds up.
            ("2Gi", "1Gi", "4Gi", false),
            // Asked for too much in vain, corrected to what the driver can do.
            ("2Gi", "9Gi", "1Gi", true),
            // Taken back altogether: Kubernetes refuses to ask for exactly what there is.
            ("1Gi", "9Gi", "1Gi", false),
            ("1Gi", "2Gi", "2Gi", false),
        ] {
            let asked = volumes(wanted, requested, capacity).resizes().next();
            assert_eq!(asked.is_some(), asks, "wanted {wanted}, asked {requested}, has {capacity}");
            assert!(asked.is_none_or(|asked| asked.to == wanted && asked.from == requested));
        }
    }

    #[test]
    fn a_claim_without_a_volume_or_on_its_way_out_is_left_alone() {
        let mut unbound = volumes("2Gi", "1Gi", "1Gi");
        unbound.volumes[0].is_bound = false;
        assert_eq!(unbound.resizes().next(), None);
    }

    #[test]
    fn the_largest_volume_is_the_least_that_may_be_asked_for() {
        let mut set = volumes("2Gi", "2Gi", "1Gi");
        assert_eq!(set.largest().unwrap().text, "1Gi");
        set.volumes[0].capacity = Amount::default();
        assert_eq!(set.largest(), None, "no volume yet");
    }
}
