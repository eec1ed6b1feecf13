package host

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// NamespacePath is the file by which a network namespace is entered.
func NamespacePath(namespace string) string { return "/run/netns/" + namespace }

// NamespaceExists says whether the namespace is there.
func NamespaceExists(namespace string) bool {
	_, err := os.Stat(NamespacePath(namespace))
	return err == nil
}

// Inside prefixes a command so that it runs in a network namespace. nsenter
// and not `ip netns exec`, which remounts /sys and so hides control groups.
func Inside(namespace string, command ...string) []string {
	return append([]string{"nsenter", "--net=" + NamespacePath(namespace), "--"}, command...)
}

// IPBatch runs lines of `ip` commands inside a namespace and stops at the
// first that fails.
func IPBatch(namespace string, lines ...string) error {
	arguments := Inside(namespace, "ip", "-batch", "-")
	command := exec.Command(arguments[0], arguments[1:]...)
	command.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("ip in namespace %s: %w: %s", namespace, err, strings.TrimSpace(string(output)))
	}
	return nil
}

// MakeNamespace makes a network namespace that forwards packets.
func MakeNamespace(namespace string) error {
	if _, err := Run("ip", "netns", "add", namespace); err != nil {
		return err
	}
	forward := Inside(namespace, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
	if _, err := Run(forward[0], forward[1:]...); err != nil {
		return err
	}
	return IPBatch(namespace, "link set lo up")
}

// HasLink says whether the namespace is there and has the named link.
func HasLink(namespace, link string) bool {
	if !NamespaceExists(namespace) {
		return false
	}
	show := Inside(namespace, "ip", "link", "show", "dev", link)
	_, err := Run(show[0], show[1:]...)
	return err == nil
}

// RemoveNamespace removes a namespace and, with it, every link inside.
func RemoveNamespace(namespace string) error {
	if !NamespaceExists(namespace) {
		return nil
	}
	_, err := Run("ip", "netns", "del", namespace)
	return err
}

// TakenOctets lists the second octets of 10.0.0.0/8 to which the host itself
// has a route, so that a lab never hides a network the host needs.
func TakenOctets() (map[int]bool, error) {
	taken := map[int]bool{}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	for _, address := range addresses {
		if network, ok := address.(*net.IPNet); ok {
			if four := network.IP.To4(); four != nil && four[0] == 10 {
				taken[int(four[1])] = true
			}
		}
	}
	return taken, nil
}

// Dialer opens connections from inside a network namespace while the rest of
// the program stays in its own.
type Dialer struct {
	requests chan dial
}

type dial struct {
	address string
	answer  chan dialed
}

type dialed struct {
	connection net.Conn
	err        error
}

// NewDialer enters the namespace with one thread, which then serves all dials.
func NewDialer(namespace string) (*Dialer, error) {
	dialer := &Dialer{requests: make(chan dial)}
	entered := make(chan error, 1)
	go dialer.serve(namespace, entered)
	return dialer, <-entered
}

func (d *Dialer) serve(namespace string, entered chan<- error) {
	// Never unlocked: a thread that changed its namespace must not be reused.
	runtime.LockOSThread()
	file, err := os.Open(NamespacePath(namespace))
	if err != nil {
		entered <- err
		return
	}
	if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
		entered <- fmt.Errorf("enter network namespace %s: %w", namespace, err)
		return
	}
	_ = file.Close()
	entered <- nil
	for request := range d.requests {
		connection, err := net.Dial("tcp", request.address)
		request.answer <- dialed{connection, err}
	}
}

// Dial connects to an IP address and port inside the namespace.
func (d *Dialer) Dial(address string) (net.Conn, error) {
	answer := make(chan dialed, 1)
	d.requests <- dial{address, answer}
	result := <-answer
	return result.connection, result.err
}
