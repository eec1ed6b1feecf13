package volumes

import (
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// selectedNode is set by the scheduler on a claim it has found a node for.
const selectedNode = "volume.kubernetes.io/selected-node"

// provisioner is set by Kubernetes on a claim whose StorageClass names one.
const provisioner = "volume.kubernetes.io/storage-provisioner"

// Ours says whether the claim's StorageClass asks for this provisioner; a test
// may add classes of its own, such as one that does not let claims grow.
func Ours(claim *corev1.PersistentVolumeClaim) bool {
	return claim.Spec.StorageClassName != nil && claim.Annotations[provisioner] == Provisioner
}

// NodeFor is the node on which the claim waits for a volume, or "" when there
// is nothing to provision (yet).
func NodeFor(claim *corev1.PersistentVolumeClaim) string {
	if claim.DeletionTimestamp != nil || claim.Spec.VolumeName != "" || claim.Status.Phase != corev1.ClaimPending {
		return ""
	}
	return claim.Annotations[selectedNode]
}

// VolumeFor is the volume for a claim on a node, in a folder of its own.
func VolumeFor(claim *corev1.PersistentVolumeClaim, node, folder string) *corev1.PersistentVolume {
	name := "pvc-" + string(claim.UID)
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{
			Name:        name,
			Annotations: map[string]string{provisionedBy: Provisioner},
		},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: claim.Spec.Resources.Requests[corev1.ResourceStorage]},
			AccessModes:                   claim.Spec.AccessModes,
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete,
			StorageClassName:              *claim.Spec.StorageClassName,
			VolumeMode:                    claim.Spec.VolumeMode,
			ClaimRef: &corev1.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim",
				Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID,
			},
			PersistentVolumeSource: corev1.PersistentVolumeSource{
				Local: &corev1.LocalVolumeSource{Path: filepath.Join(folder, name)},
			},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{
					MatchExpressions: []corev1.NodeSelectorRequirement{{
						Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{node},
					}},
				}},
			}},
		},
	}
}

// Disposable says whether a volume of ours has lost its claim and may go with
// its data.
func Disposable(volume *corev1.PersistentVolume) bool {
	return volume.Annotations[provisionedBy] == Provisioner &&
		volume.Spec.Local != nil &&
		volume.DeletionTimestamp == nil &&
		volume.Status.Phase == corev1.VolumeReleased &&
		volume.Spec.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimDelete
}
