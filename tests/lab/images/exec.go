package images

import (
	"os"
	"os/exec"
	"path/filepath"

	"eaiser.io/operator/tests/lab/modules"
)

// execScript runs in a mount namespace of its own: $1 is the root, then pairs
// of folders to show inside, then "--", the working folder and the command.
const execScript = `root=$1; shift
mount --bind "$root" "$root" && mount -t proc proc "$root/proc" && mount --rbind /dev "$root/dev" || exit 125
while [ "$1" != -- ]; do
	if [ -d "$1" ]; then mkdir -p "$root/$2"; else mkdir -p "$(dirname "$root/$2")"; [ -e "$root/$2" ] || : > "$root/$2"; fi
	mount --bind "$1" "$root/$2" || exit 125
	shift 2
done
shift
folder=$1; shift
# An image without a shell can still run programs in its root.
[ "$folder" = / ] && exec chroot "$root" "$@"
exec chroot "$root" /bin/sh -c 'cd "$1" || exit 125; shift; exec "$@"' sh "$folder" "$@"`

// Mount shows a folder or file of the host inside an image.
type Mount struct{ Host, Path string }

// Exec prepares a command that runs inside the image's root file system on the
// host, without a cluster. The caller connects its input and output.
func (b Builder) Exec(recipe Recipe, mounts []Mount, command []string) (*exec.Cmd, error) {
	built, err := b.Build(recipe)
	if err != nil {
		return nil, err
	}
	root, err := b.unpack(built)
	if err != nil {
		return nil, err
	}
	arguments := []string{"--mount", "--propagation=private", "/bin/sh", "-c", execScript, "image", root}
	for _, mount := range mounts {
		absolute, err := filepath.Abs(mount.Host)
		if err != nil {
			return nil, err
		}
		arguments = append(arguments, absolute, mount.Path)
	}
	folder := recipe.WorkingDir
	if folder == "" {
		folder = "/"
	}
	arguments = append(append(arguments, "--", folder), command...)
	prepared := exec.Command("unshare", arguments...)
	prepared.Env = []string{executablePath, "HOME=/root", "LANG=C.UTF-8"}
	return prepared, nil
}

// unpack keeps one unpacked root file system per build.
func (b Builder) unpack(built Built) (string, error) {
	root := filepath.Join(b.Cache, "roots", built.ID)
	unlock, err := modules.Lock(root + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(root); err == nil {
		return root, nil
	}
	part := root + ".part"
	if err := os.RemoveAll(part); err != nil {
		return "", err
	}
	if err := os.MkdirAll(part, 0o755); err != nil {
		return "", err
	}
	for _, path := range built.Layers {
		command := exec.Command("tar", "--extract", "--keep-directory-symlink", "--directory", part, "--file", path)
		command.Stderr = os.Stderr
		if err := command.Run(); err != nil {
			return "", err
		}
	}
	for _, folder := range []string{"proc", "dev"} {
		if err := os.MkdirAll(filepath.Join(part, folder), 0o755); err != nil {
			return "", err
		}
	}
	return root, os.Rename(part, root)
}
