package images

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAnArchiveNamesItsConfigurationLayersAndReference(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "layer.tar")
	if err := os.WriteFile(path, []byte("layer"), 0o600); err != nil {
		t.Fatal(err)
	}
	one, err := openLayer(path)
	if err != nil {
		t.Fatal(err)
	}
	recipe := Recipe{Name: "x", Reference: Repository + "x:1", Command: []string{"run"}, WorkingDir: "/srv"}
	var out bytes.Buffer
	id, err := writeArchive(recipe, []layer{one}, &out)
	if err != nil {
		t.Fatal(err)
	}
	entries := readAll(t, &out)
	var index []struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	if err := json.Unmarshal(entries["manifest.json"], &index); err != nil {
		t.Fatal(err)
	}
	if index[0].Config != id+".json" || index[0].RepoTags[0] != recipe.Reference || index[0].Layers[0] != one.name() {
		t.Errorf("manifest is %+v", index)
	}
	if string(entries[one.name()]) != "layer" {
		t.Error("the layer is not in the archive")
	}
	config := string(entries[id+".json"])
	for _, wanted := range []string{`"Cmd":["run"]`, `"WorkingDir":"/srv"`, "sha256:" + one.digest, "PATH="} {
		if !strings.Contains(config, wanted) {
			t.Errorf("configuration lacks %s: %s", wanted, config)
		}
	}
	if strings.Contains(config, `"User"`) {
		t.Error("the image names a user; pods decide that")
	}
}

func readAll(t *testing.T, in io.Reader) map[string][]byte {
	t.Helper()
	entries := map[string][]byte{}
	for archive := tar.NewReader(in); ; {
		header, err := archive.Next()
		if err == io.EOF {
			return entries
		}
		if err != nil {
			t.Fatal(err)
		}
		if entries[header.Name], err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEqualFilesMakeEqualLayersAndSkipWhatNoImageNeeds(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"app/main.py", "app/__pycache__/main.pyc", ".venv/bin/python"} {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files := []File{{Source: folder, Target: "/srv"}, {Content: "x", Target: "/etc/x"}}
	var first, second bytes.Buffer
	if err := writeFilesLayer(files, &first); err != nil {
		t.Fatal(err)
	}
	if err := writeFilesLayer(files, &second); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("two layers of the same files differ")
	}
	entries := readAll(t, &first)
	if len(entries["srv/app/main.py"]) == 0 || string(entries["etc/x"]) != "x" {
		t.Errorf("entries are %v", entries)
	}
	for name := range entries {
		if strings.Contains(name, "__pycache__") || strings.Contains(name, ".venv") {
			t.Errorf("%s is in the layer", name)
		}
	}
}

func TestTheKeyOfARecipeFollowsContentNotPlace(t *testing.T) {
	keyOf := func(content string) string {
		path := filepath.Join(t.TempDir(), "binary")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		key, err := recipeKey(Operator(path, "dev"))
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	if keyOf("one") != keyOf("one") {
		t.Error("the same binary in another folder has another key")
	}
	if keyOf("one") == keyOf("two") {
		t.Error("another binary has the same key")
	}
}

func TestAMissingSharedLibraryIsAnError(t *testing.T) {
	if _, err := parseLdd("\tlibssl.so.1.1 => not found\n"); err == nil || !strings.Contains(err.Error(), "libssl.so.1.1") {
		t.Errorf("got %v", err)
	}
}

func TestLddNamesLibrariesAndTheLoader(t *testing.T) {
	found, err := parseLdd("\tlinux-vdso.so.1 (0x00007ffc)\n\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x7f)\n\t/lib64/ld-linux-x86-64.so.2 (0x7f)\n")
	if err != nil || len(found) != 2 || found[0].path != "/lib/x86_64-linux-gnu/libm.so.6" || found[1].path != "/lib64/ld-linux-x86-64.so.2" {
		t.Errorf("got %v, %v", found, err)
	}
}

func TestLibrariesTheLayerBelowHasAreNotCopied(t *testing.T) {
	files := []File{{Source: "/a", Target: "/lib/libc.so.6"}, {Source: "/b", Target: "/opt/libcurl.so.4"}}
	absent := absentFiles(files, map[string]bool{"libc.so.6": true})
	if len(absent) != 1 || absent[0].Source != "/b" || absent[0].Target != "/usr/lib/x86_64-linux-gnu/libcurl.so.4" {
		t.Errorf("got %+v", absent)
	}
}

func TestTheMirrorIsDebiansMainArchive(t *testing.T) {
	targets := "Vendor|Vendor|http://vendor.test/\nDebian|Debian-Security|http://mirror.test/security/\nDebian|Debian|http://mirror.test/debian/\n"
	if mirror := mirrorFrom(targets); mirror != "http://mirror.test/debian/" {
		t.Errorf("got %q", mirror)
	}
	if mirror := mirrorFrom("Ubuntu|Ubuntu|http://mirror.test/ubuntu/\n"); mirror != "" {
		t.Errorf("a host that is not Debian gave %q", mirror)
	}
}

func TestOnlyLabelledImagesCountAsLoaded(t *testing.T) {
	loaded := parseImages(`REF TYPE DIGEST SIZE PLATFORMS LABELS
localhost/eaiser/redis:8.0 application/x sha256:aa 70.0 MiB linux/amd64 eaiser.io/id=abc,io.cri-containerd.image=managed
localhost/eaiser/nginx:1.30 application/x sha256:bb 70.0 MiB linux/amd64 io.cri-containerd.image=managed
`)
	if len(loaded) != 1 || loaded["localhost/eaiser/redis:8.0"] != "abc" {
		t.Errorf("got %v", loaded)
	}
}

func TestReferencesAreWhatPodsName(t *testing.T) {
	wanted := map[string]string{
		"pause": "localhost/eaiser/pause:1", "redis": "localhost/eaiser/redis:8.0", "nginx": "localhost/eaiser/nginx:1.30",
		"prometheus": "localhost/eaiser/prometheus:3", "backend": "localhost/eaiser/backend:dev", "operator": "localhost/eaiser/operator:dev",
	}
	for _, recipe := range append(Debian(), Pause(), Backend("b"), Operator("o", "dev")) {
		if wanted[recipe.Name] != recipe.Reference {
			t.Errorf("%s is %s", recipe.Name, recipe.Reference)
		}
	}
}

func TestTheStandInSaysThatItIsOne(t *testing.T) {
	recipe := MongodStandIn()
	if !strings.Contains(recipe.Reference, "standin") || !strings.Contains(recipe.About, "STAND-IN") {
		t.Errorf("recipe is %+v", recipe)
	}
}

func TestAnUnknownImageIsNamedWithThoseThereAre(t *testing.T) {
	_, err := Select(Debian(), map[string]string{"operator": "no binary"}, []string{"mysql"})
	if err == nil || !strings.Contains(err.Error(), "redis, nginx, prometheus") {
		t.Errorf("got %v", err)
	}
	_, err = Select(Debian(), map[string]string{"operator": "no binary"}, []string{"operator"})
	if err == nil || !strings.Contains(err.Error(), "no binary") {
		t.Errorf("got %v", err)
	}
}
