// Package volumes provisions the volumes of the lab's StorageClasses: one folder and one PersistentVolume of kind `local` per claim, tied to the
// node the scheduler picked. Local volumes honour fsGroup, which host-path
// volumes ignore, so pods that are not root can write.
package volumes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

// ClassName is the name of the lab's default StorageClass.
const ClassName = "lab-local"

// Provisioner is the name by which the StorageClass asks for this controller.
const Provisioner = "lab.eaiser.io/local"

const provisionedBy = "pv.kubernetes.io/provisioned-by"

// Controller provisions, resizes and deletes volumes below one folder.
type Controller struct {
	client kubernetes.Interface
	folder string
	queue  workqueue.TypedRateLimitingInterface[item]
	claims cache.Indexer
	owned  cache.Indexer
}

// item names a claim ("namespace/name") or, with no slash, a volume.
type item string

// Run serves until the context ends.
func Run(ctx context.Context, client kubernetes.Interface, folder string) error {
	factory := informers.NewSharedInformerFactory(client, 10*time.Minute)
	controller := &Controller{
		client: client,
		folder: folder,
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[item](100*time.Millisecond, 30*time.Second)),
		claims: factory.Core().V1().PersistentVolumeClaims().Informer().GetIndexer(),
		owned:  factory.Core().V1().PersistentVolumes().Informer().GetIndexer(),
	}
	defer controller.queue.ShutDown()
	enqueue := func(object any) {
		if key, err := cache.MetaNamespaceKeyFunc(object); err == nil {
			controller.queue.Add(item(key))
		}
	}
	handler := cache.ResourceEventHandlerFuncs{AddFunc: enqueue, UpdateFunc: func(_, object any) { enqueue(object) }}
	for _, informer := range []cache.SharedIndexInformer{
		factory.Core().V1().PersistentVolumeClaims().Informer(),
		factory.Core().V1().PersistentVolumes().Informer(),
	} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			return err
		}
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	go func() {
		<-ctx.Done()
		controller.queue.ShutDown()
	}()
	for controller.next(ctx) {
	}
	return nil
}

func (c *Controller) next(ctx context.Context) bool {
	key, shutdown := c.queue.Get()
	if shutdown {
		return false
	}
	defer c.queue.Done(key)
	if err := c.reconcile(ctx, string(key)); err != nil {
		fmt.Fprintf(os.Stderr, "%s %s: %v\n", time.Now().Format(time.RFC3339), key, err)
		c.queue.AddRateLimited(key)
		return true
	}
	c.queue.Forget(key)
	return true
}

func (c *Controller) reconcile(ctx context.Context, key string) error {
	if object, found, _ := c.claims.GetByKey(key); found {
		return c.reconcileClaim(ctx, object.(*corev1.PersistentVolumeClaim))
	}
	if object, found, _ := c.owned.GetByKey(key); found {
		return c.reconcileVolume(ctx, object.(*corev1.PersistentVolume))
	}
	return nil
}

func (c *Controller) reconcileClaim(ctx context.Context, claim *corev1.PersistentVolumeClaim) error {
	if !Ours(claim) {
		return nil
	}
	if node := NodeFor(claim); node != "" {
		return c.provision(ctx, claim, node)
	}
	if claim.Status.Phase == corev1.ClaimBound {
		return c.expand(ctx, claim)
	}
	return nil
}

func (c *Controller) provision(ctx context.Context, claim *corev1.PersistentVolumeClaim, node string) error {
	volume := VolumeFor(claim, node, c.folder)
	if err := os.MkdirAll(volume.Spec.Local.Path, 0o755); err != nil {
		return err
	}
	_, err := c.client.CoreV1().PersistentVolumes().Create(ctx, volume, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// expand stands in for the resizer and the kubelet of a real driver: it gives a
// claim the size it asks for. A folder has no size of its own, so only the
// objects change. Whether a class lets its claims ask is the API server's.
func (c *Controller) expand(ctx context.Context, claim *corev1.PersistentVolumeClaim) error {
	wanted := claim.Spec.Resources.Requests[corev1.ResourceStorage]
	has := claim.Status.Capacity[corev1.ResourceStorage]
	if wanted.Cmp(has) <= 0 {
		return nil
	}
	size := map[string]any{"capacity": map[string]string{"storage": wanted.String()}}
	volume, err := json.Marshal(map[string]any{"spec": size})
	if err != nil {
		return err
	}
	if _, err := c.client.CoreV1().PersistentVolumes().Patch(ctx, claim.Spec.VolumeName, types.MergePatchType, volume, metav1.PatchOptions{}); err != nil {
		return err
	}
	status, err := json.Marshal(map[string]any{"status": map[string]any{
		"capacity": size["capacity"], "conditions": nil,
	}})
	if err != nil {
		return err
	}
	_, err = c.client.CoreV1().PersistentVolumeClaims(claim.Namespace).Patch(ctx, claim.Name, types.MergePatchType, status, metav1.PatchOptions{}, "status")
	return err
}

func (c *Controller) reconcileVolume(ctx context.Context, volume *corev1.PersistentVolume) error {
	if !Disposable(volume) {
		return nil
	}
	if filepath.Dir(volume.Spec.Local.Path) != filepath.Clean(c.folder) {
		return errors.New("the volume's path is not below the lab's folder; it is left alone")
	}
	if err := os.RemoveAll(volume.Spec.Local.Path); err != nil {
		return err
	}
	err := c.client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
