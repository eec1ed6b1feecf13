package images

import (
	"fmt"
	"strings"

	"eaiser.io/operator/tests/lab/host"
)

// idLabel marks, in containerd, which build a reference stands for.
const idLabel = "eaiser.io/id"

func ctr(socket string, arguments ...string) (string, error) {
	return host.Run("ctr", append([]string{"--address", socket, "--namespace", "k8s.io"}, arguments...)...)
}

// Import loads an image into the containerd behind socket, unless that has
// the same build already.
func Import(socket string, image Built) error {
	present, err := Loaded(socket)
	if err != nil {
		return err
	}
	if present[image.Reference] == image.ID {
		return nil
	}
	if _, err := ctr(socket, "images", "import", image.Archive); err != nil {
		return fmt.Errorf("load %s: %w", image.Reference, err)
	}
	_, err = ctr(socket, "images", "label", image.Reference, idLabel+"="+image.ID)
	return err
}

// Loaded maps the references in a containerd to the ids of their builds.
func Loaded(socket string) (map[string]string, error) {
	output, err := ctr(socket, "images", "list")
	if err != nil {
		return nil, err
	}
	return parseImages(output), nil
}

// parseImages reads `ctr images list`: the first column is the reference, the
// last the labels, separated by commas.
func parseImages(output string) map[string]string {
	loaded := map[string]string{}
	for _, line := range strings.Split(output, "\n") {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] == "REF" {
			continue
		}
		for _, label := range strings.Split(fields[len(fields)-1], ",") {
			if id, found := strings.CutPrefix(label, idLabel+"="); found {
				loaded[fields[0]] = id
			}
		}
	}
	return loaded
}
