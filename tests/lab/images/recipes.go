// Package images makes the lab's container images from Debian packages and
// local files, without a registry and without Docker.
package images

// Recipe says what an image is made of. It is data: the builder follows it.
type Recipe struct {
	// Name is what the command line calls it.
	Name string
	// Reference is the image's full reference, which pods name.
	Reference string
	// About is one line for lists.
	About string

	// Suite is the Debian release of the root file system; empty for an image
	// that consists of Files alone. It may be newer than the host's.
	Suite string
	// Packages are installed beside Debian's essential ones.
	Packages []string
	// Requirements is a pip requirements file of the host to install.
	Requirements string
	// Files are copied from the host.
	Files []File
	// Libraries is a program of the host whose shared libraries are copied
	// where the root file system has none of that name.
	Libraries string

	Command    []string
	WorkingDir string
}

// File is copied into an image: a file or a whole folder of the host, what the
// lab makes itself, or the given content.
type File struct {
	Source  string
	Made    made
	Content string
	Target  string
	Mode    uint32 // for a single file; 0 means 0644
}

// made names a program that the builder compiles before it copies it.
type made string

const (
	madePause   made = "pause"
	madeStandIn made = "mongod-standin"
)

// Repository begins every reference. No registry has that name, so a node can
// never pull by mistake what was not loaded.
const Repository = "localhost/eaiser/"

// Pause holds a pod's namespaces. Every node needs it.
func Pause() Recipe {
	return Recipe{
		Name: "pause", Reference: Repository + "pause:1",
		About:   "holds a pod's namespaces; static C",
		Files:   []File{{Made: madePause, Target: "/pause", Mode: 0o755}},
		Command: []string{"/pause"},
	}
}

// Debian lists the images made of Debian packages alone.
func Debian() []Recipe {
	return []Recipe{
		{
			Name: "redis", Reference: Repository + "redis:8.0",
			About: "Redis 8.0 with redis-cli, from Debian trixie",
			Suite: "trixie", Packages: []string{"redis-server", "redis-tools"},
			Command: []string{"redis-server"},
		},
		{
			Name: "nginx", Reference: Repository + "nginx:1.30",
			About: "Nginx 1.30, from Debian sid",
			Suite: "sid", Packages: []string{"nginx-light"},
			Command: []string{"nginx", "-g", "daemon off;"},
		},
		{
			Name: "prometheus", Reference: Repository + "prometheus:3",
			About: "Prometheus 3 with promtool, from Debian sid",
			Suite: "sid", Packages: []string{"prometheus"},
			Command: []string{"prometheus"},
		},
	}
}

// trixiePackages is where the Python of Debian trixie looks for packages that
// are not Debian's.
const trixiePackages = "/usr/local/lib/python3.13/dist-packages"

// Backend is the example API: the folder examples/backend with its Python
// packages from PyPI.
func Backend(folder string) Recipe {
	return Recipe{
		Name: "backend", Reference: Repository + "backend:dev",
		About: "the example FastAPI backend on Debian trixie's Python",
		Suite: "trixie", Packages: []string{"python3", "ca-certificates"},
		Requirements: folder + "/requirements.txt",
		Files:        []File{{Source: folder, Target: "/srv/backend"}},
		WorkingDir:   "/srv/backend",
		Command: []string{
			"python3", "-m", "uvicorn", "app.main:app",
			"--host", "0.0.0.0", "--port", "8000", "--app-dir", "/srv/backend",
		},
	}
}

// Mongod is a mongod binary of the host, whose version is given: a real one, unless it says otherwise.
func Mongod(binary, version string, standIn bool) Recipe {
	name, about := "mongod", "mongod "+version+" of this machine"
	if standIn {
		name, about = "mongod-standin", "STAND-IN for mongod: "+binary+", not MongoDB"
	}
	return Recipe{
		Name: "mongod", Reference: Repository + name + ":" + version,
		About: about,
		Suite: "trixie", Packages: []string{"ca-certificates"},
		Files:     []File{{Source: binary, Target: "/usr/bin/mongod", Mode: 0o755}},
		Libraries: binary,
		Command:   []string{"mongod"},
	}
}

// MongodStandIn is a test double for machines without mongod.
func MongodStandIn() Recipe {
	return Recipe{
		Name: "mongod", Reference: Repository + "mongod-standin:7.0",
		About: "STAND-IN for mongod: tests/lab/mongod-standin, not MongoDB",
		Suite: "trixie", Packages: []string{},
		Files:   []File{{Made: madeStandIn, Target: "/usr/bin/mongod", Mode: 0o755}},
		Command: []string{"mongod"},
	}
}

// Operator is the operator's own image: its binary and the libraries it loads.
// Versions of it live side by side under tags of their own.
func Operator(binary, tag string) Recipe {
	return Recipe{
		Name: "operator", Reference: Repository + "operator:" + tag,
		About: "the operator: its binary and the C library",
		Files: []File{
			{Source: binary, Target: "/usr/bin/eaiser", Mode: 0o755},
			{Content: "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n", Target: "/etc/passwd"},
			{Content: "root:x:0:\nnonroot:x:65532:\n", Target: "/etc/group"},
		},
		Libraries: binary,
		Command:   []string{"/usr/bin/eaiser", "operator"},
	}
}
