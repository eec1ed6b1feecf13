//! Whether every database volume has the size the spec asks for. Pure.

use super::Pass;
use super::condition::{Verdict, reason};
use crate::crd::StorageStatus;
use crate::drive::storage::{Refusal, Volumes, volumes};
use crate::names::{Identity, Tier};
use crate::snapshot::Volume;
use crate::snapshot::volumes::Obstacle;

/// How the API server says that a StorageClass cannot grow volumes.
const CLASS_CANNOT: &str = "storageclass that provisions the pvc must support resize";

/// The verdict. A claim without a volume is the tier's to tell; a volume that is growing serves.
pub(super) fn verdict(pass: &Pass<'_>) -> Verdict {
    if let Some(refusal) = &pass.driven.refused {
        return refused(&pass.plan.identity, refusal);
    }
    let tiers = [Tier::MongoDb, Tier::Redis].map(|tier| (tier, volumes(pass.plan, pass.snapshot, tier)));
    let verdicts = tiers.iter().filter_map(|(tier, volumes)| of_tier(*tier, volumes));
    // What fails comes first; of the rest, MongoDB's.
    verdicts
        .min_by_key(|verdict| !verdict.failing)
        .unwrap_or_else(|| Verdict::on(reason::VOLUMES_SIZED, "no volume is smaller than the spec asks for"))
}

/// Numbers of MongoDB's volumes, once each member has one.
pub(super) fn status(pass: &Pass<'_>) -> Option<StorageStatus> {
    let volumes = volumes(pass.plan, pass.snapshot, Tier::MongoDb);
    let complete = volumes.volumes.len() == volumes.count && volumes.volumes.iter().all(has_volume);
    let grown = volumes.count - volumes.too_small().count().min(volumes.count);
    complete.then(|| StorageStatus {
        summary: format!("{grown}/{}", volumes.count),
        minimum_size: volumes.largest().map(|size| size.text.clone()),
    })
}

/// A claim that is being replaced, or waits for its first volume, has no size to speak of.
fn has_volume(volume: &Volume) -> bool {
    volume.capacity.bytes > 0
}

fn of_tier(tier: Tier, volumes: &Volumes) -> Option<Verdict> {
    let waiting: Vec<&Volume> = volumes.too_small().filter(|volume| has_volume(volume)).collect();
    let first = waiting.first()?;
    let wanted = &volumes.wanted.text;
    let failed = waiting.iter().find_map(|volume| match &volume.obstacle {
        Some(Obstacle::Failed(why)) => Some((volume, why)),
        _ => None,
    });
    if let Some((volume, why)) = failed {
        let message = format!(
            "PersistentVolumeClaim {} stays at {} of {wanted}: {why}. Its driver tries again; a smaller {} above {} is taken up too",
            volume.claim,
            volume.capacity.text,
            field(tier),
            volume.capacity.text
        );
        return Some(Verdict::failing(reason::EXPANSION_FAILED, message));
    }
    let grown = volumes.count - waiting.len();
    let progress = format!("{grown} of {} volumes of {tier} have {wanted}", volumes.count);
    if let Some(volume) = waiting.iter().find(|volume| volume.obstacle == Some(Obstacle::FileSystemPending)) {
        let message = format!(
            "{progress}; the disk of {} has grown and its file system grows when the node gets to it; if it lasts, the driver needs pod {} to restart",
            volume.claim, volume.pod
        );
        return Some(Verdict::on(reason::FILE_SYSTEM_RESIZE_PENDING, message));
    }
    Some(Verdict::on(reason::VOLUMES_GROWING, format!("{progress}; waits for {}", first.claim)))
}

fn refused(identity: &Identity, refusal: &Refusal) -> Verdict {
    let Refusal { resize, why } = refusal;
    let redis = crate::names::pod_of_claim(&resize.claim)
        .is_some_and(|pod| pod.starts_with(&format!("{}-", identity.tier(Tier::Redis))));
    let field = field(if redis { Tier::Redis } else { Tier::MongoDb });
    let class = resize.class.as_deref().unwrap_or("of no name");
    let way_out = if why.contains(CLASS_CANNOT) {
        format!("Set allowVolumeExpansion of StorageClass {class} to true if its driver can grow volumes, or")
    } else {
        "Correct what it names, or".to_owned()
    };
    let message = format!(
        "PersistentVolumeClaim {} of StorageClass {class} stays at {}: {} is refused: {why}. {way_out} set {field} back to {}; nothing else was changed, and it is asked again every ten minutes",
        resize.claim, resize.from, resize.to, resize.from
    );
    Verdict::failing(reason::EXPANSION_REFUSED, message)
}

fn field(tier: Tier) -> String {
    format!("spec.{tier}.storage.size")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::storage::Resize;
    use crate::snapshot::volumes::Amount;

    fn volume(ordinal: usize, capacity: &str, obstacle: Option<Obstacle>) -> Volume {
        Volume {
            pod: format!("eaiser-mongodb-{ordinal}"),
            claim: format!("data-eaiser-mongodb-{ordinal}"),
            uid: String::new(),
            class: Some("fast".to_owned()),
            is_bound: true,
            is_leaving: false,
            requested: Amount::parse("2Gi"),
            capacity: Amount::parse(capacity),
            obstacle,
        }
    }

    fn told(volumes: Vec<Volume>) -> Option<Verdict> {
        of_tier(Tier::MongoDb, &Volumes { wanted: Amount::parse("2Gi"), count: 3, volumes })
    }

    #[test]
    fn volumes_of_the_wanted_size_or_without_a_disk_say_nothing() {
        assert_eq!(told(vec![volume(0, "2Gi", None), volume(1, "3Gi", None), volume(2, "0", None)]), None);
    }

    #[test]
    fn a_growth_under_way_holds_and_says_how_far_it_is() {
        let verdict =
            told(vec![volume(0, "2Gi", None), volume(1, "1Gi", None), volume(2, "1Gi", None)]).unwrap();
        assert_eq!((verdict.holds, verdict.reason), (true, "VolumesGrowing"));
        assert_eq!(verdict.message, "1 of 3 volumes of mongodb have 2Gi; waits for data-eaiser-mongodb-1");
    }

    #[test]
    fn a_file_system_that_lags_behind_names_the_pod() {
        let verdict = told(vec![volume(0, "1Gi", Some(Obstacle::FileSystemPending))]).unwrap();
        assert_eq!((verdict.holds, verdict.reason), (true, "FileSystemResizePending"));
        assert!(verdict.message.contains("pod eaiser-mongodb-0 to restart"), "{}", verdict.message);
    }

    #[test]
    fn a_failed_growth_is_told_before_one_that_waits() {
        let failed = Some(Obstacle::Failed("the pool is full".to_owned()));
        let verdict = told(vec![volume(0, "1Gi", None), volume(1, "1Gi", failed)]).unwrap();
        assert_eq!((verdict.failing, verdict.reason), (true, "ExpansionFailed"));
        for words in ["data-eaiser-mongodb-1", "the pool is full", "spec.mongodb.storage.size"] {
            assert!(verdict.message.contains(words), "{}", verdict.message);
        }
    }

    #[test]
    fn a_refusal_names_claim_class_and_the_way_out() {
        let identity =
            Identity { namespace: "shop".to_owned(), name: "eaiser".to_owned(), uid: String::new() };
        let refusal = |claim: &str, why: &str| Refusal {
            resize: Resize {
                claim: claim.to_owned(),
                uid: String::new(),
                class: Some("fixed".to_owned()),
                from: "1Gi".to_owned(),
                to: "2Gi".to_owned(),
            },
            why: why.to_owned(),
        };
        let by_class = refused(&identity, &refusal("data-eaiser-mongodb-0", CLASS_CANNOT));
        let quota = refused(&identity, &refusal("data-eaiser-redis-0-1", "exceeded quota: small"));
        let expected = [
            (
                by_class,
                [
                    "data-eaiser-mongodb-0",
                    "allowVolumeExpansion of StorageClass fixed",
                    "spec.mongodb.storage.size back to 1Gi",
                ],
            ),
            (
                quota,
                ["data-eaiser-redis-0-1", "exceeded quota: small", "spec.redis.storage.size back to 1Gi"],
            ),
        ];
        for (verdict, words) in expected {
            assert!(verdict.failing && verdict.reason == "ExpansionRefused");
            for word in words {
                assert!(verdict.message.contains(word), "{word}: {}", verdict.message);
            }
        }
    }
}
