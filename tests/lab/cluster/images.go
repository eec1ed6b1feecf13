package cluster

import (
	"fmt"

	"golang.org/x/sync/errgroup"

	"eaiser.io/operator/tests/lab/host"
	"eaiser.io/operator/tests/lab/images"
	"eaiser.io/operator/tests/lab/progress"
)

// LoadImage loads a built image into every node that runs.
func LoadImage(name string, image images.Built, steps *progress.Printer) error {
	record, err := Load(name)
	if err != nil {
		return err
	}
	var group errgroup.Group
	for i := 1; i <= record.Nodes; i++ {
		if host.Pid(record.Path("pids", nodeProcess("containerd", i))) == 0 {
			steps.Step("%s does not run; load the image again once it does", record.NodeName(i))
			continue
		}
		group.Go(func() error { return images.Import(record.ContainerdSocket(i), image) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	steps.Step("%s is on every node", image.Reference)
	return nil
}

// TagImage gives an image one more name on every node.
func TagImage(name, reference, further string) error {
	record, err := Load(name)
	if err != nil {
		return err
	}
	for i := 1; i <= record.Nodes; i++ {
		if _, err := host.Run("ctr", "--address", record.ContainerdSocket(i), "--namespace", "k8s.io", "images", "tag", "--force", reference, further); err != nil {
			return fmt.Errorf("node %s: %w", record.NodeName(i), err)
		}
	}
	return nil
}

// ListImages maps the references loaded on the first node to their builds.
func ListImages(name string) (map[string]string, error) {
	record, err := Load(name)
	if err != nil {
		return nil, err
	}
	return images.Loaded(record.ContainerdSocket(1))
}
