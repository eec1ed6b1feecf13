package images

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
)

// executablePath is the PATH of every image.
const executablePath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// imageConfig is the image's configuration as the OCI image format has it. It
// names no user: pods say who they run as.
func imageConfig(recipe Recipe, layers []layer) ([]byte, error) {
	config := map[string]any{"Env": []string{executablePath}, "Cmd": recipe.Command}
	if recipe.WorkingDir != "" {
		config["WorkingDir"] = recipe.WorkingDir
	}
	digests := []string{}
	for _, one := range layers {
		digests = append(digests, "sha256:"+one.digest)
	}
	return json.Marshal(map[string]any{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"config":       config,
		"rootfs":       map[string]any{"type": "layers", "diff_ids": digests},
	})
}

// manifest is the docker-archive's list of one image.
func manifest(reference, config string, layers []layer) ([]byte, error) {
	names := []string{}
	for _, one := range layers {
		names = append(names, one.name())
	}
	return json.Marshal([]any{map[string]any{
		"Config": config, "RepoTags": []string{reference}, "Layers": names,
	}})
}

// layer is one tar of an image's root file system.
type layer struct {
	path   string
	digest string // SHA-256 of the tar, in hexadecimal
	size   int64
}

func (l layer) name() string { return l.digest + ".tar" }

func openLayer(path string) (layer, error) {
	file, err := os.Open(path)
	if err != nil {
		return layer{}, err
	}
	defer file.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, file)
	return layer{path: path, digest: hex.EncodeToString(sum.Sum(nil)), size: size}, err
}

// writeArchive makes a docker-archive and returns the image's id, which is the
// hash of its configuration.
func writeArchive(recipe Recipe, layers []layer, out io.Writer) (id string, err error) {
	config, err := imageConfig(recipe, layers)
	if err != nil {
		return "", err
	}
	digest := sha256.Sum256(config)
	id = hex.EncodeToString(digest[:])
	index, err := manifest(recipe.Reference, id+".json", layers)
	if err != nil {
		return "", err
	}
	archive := tar.NewWriter(out)
	if err := addEntry(archive, "manifest.json", int64(len(index)), bytes.NewReader(index)); err != nil {
		return "", err
	}
	if err := addEntry(archive, id+".json", int64(len(config)), bytes.NewReader(config)); err != nil {
		return "", err
	}
	for _, one := range layers {
		file, err := os.Open(one.path)
		if err != nil {
			return "", err
		}
		err = addEntry(archive, one.name(), one.size, file)
		file.Close()
		if err != nil {
			return "", err
		}
	}
	return id, archive.Close()
}

func addEntry(archive *tar.Writer, name string, size int64, content io.Reader) error {
	if err := archive.WriteHeader(&tar.Header{Name: name, Size: size, Mode: 0o644}); err != nil {
		return err
	}
	if _, err := io.Copy(archive, content); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
