package volumes

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func waitingClaim() *corev1.PersistentVolumeClaim {
	class := ClassName
	return &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{
			Name: "data", Namespace: "shop", UID: "u1",
			Annotations: map[string]string{selectedNode: "lab-n2", provisioner: Provisioner},
		},
		Spec:   corev1.PersistentVolumeClaimSpec{StorageClassName: &class},
		Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimPending},
	}
}

func TestAClaimIsServedOnTheNodeTheSchedulerPicked(t *testing.T) {
	if node := NodeFor(waitingClaim()); node != "lab-n2" {
		t.Errorf("got %q", node)
	}
}

func TestClaimsThatWaitForNothingAreLeftAlone(t *testing.T) {
	changes := map[string]func(*corev1.PersistentVolumeClaim){
		"no node yet":   func(c *corev1.PersistentVolumeClaim) { c.Annotations = nil },
		"has a volume":  func(c *corev1.PersistentVolumeClaim) { c.Spec.VolumeName = "pv" },
		"bound":         func(c *corev1.PersistentVolumeClaim) { c.Status.Phase = corev1.ClaimBound },
		"being deleted": func(c *corev1.PersistentVolumeClaim) { c.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} },
	}
	for name, change := range changes {
		claim := waitingClaim()
		change(claim)
		if node := NodeFor(claim); node != "" {
			t.Errorf("%s: got %q", name, node)
		}
	}
}

func TestClaimsOfEveryClassThatAsksForThisProvisionerAreOurs(t *testing.T) {
	fixed := waitingClaim()
	*fixed.Spec.StorageClassName = "fixed"
	if !Ours(fixed) || VolumeFor(fixed, "lab-n2", "/volumes").Spec.StorageClassName != "fixed" {
		t.Error("a second class is not served")
	}
	foreign := waitingClaim()
	foreign.Annotations[provisioner] = "example.com/other"
	if Ours(foreign) {
		t.Error("a foreign class is served")
	}
}

func TestAVolumeBelongsToItsClaimAndNode(t *testing.T) {
	volume := VolumeFor(waitingClaim(), "lab-n2", "/volumes")
	if volume.Spec.ClaimRef.UID != "u1" || volume.Spec.Local.Path != "/volumes/pvc-u1" {
		t.Errorf("got %+v", volume.Spec)
	}
	terms := volume.Spec.NodeAffinity.Required.NodeSelectorTerms
	if len(terms) != 1 || terms[0].MatchExpressions[0].Values[0] != "lab-n2" {
		t.Errorf("got %+v", terms)
	}
}

func TestOnlyReleasedVolumesOfOursAreDisposable(t *testing.T) {
	released := func() *corev1.PersistentVolume {
		volume := VolumeFor(waitingClaim(), "lab-n2", "/volumes")
		volume.Status.Phase = corev1.VolumeReleased
		return volume
	}
	if !Disposable(released()) {
		t.Error("a released volume is kept")
	}
	changes := map[string]func(*corev1.PersistentVolume){
		"bound": func(v *corev1.PersistentVolume) { v.Status.Phase = corev1.VolumeBound },
		"retained": func(v *corev1.PersistentVolume) {
			v.Spec.PersistentVolumeReclaimPolicy = corev1.PersistentVolumeReclaimRetain
		},
		"somebody's":    func(v *corev1.PersistentVolume) { v.Annotations = nil },
		"not a folder":  func(v *corev1.PersistentVolume) { v.Spec.Local = nil },
		"being deleted": func(v *corev1.PersistentVolume) { v.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} },
	}
	for name, change := range changes {
		volume := released()
		change(volume)
		if Disposable(volume) {
			t.Errorf("%s: would be deleted", name)
		}
	}
}
