package check

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os/exec"
	"regexp"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// kubectl runs kubectl in the namespace and returns what it wrote.
func (s *session) kubectl(arguments ...string) (string, error) {
	return output(s.Program("kubectl", append([]string{"--namespace", namespace}, arguments...)))
}

func output(command *exec.Cmd) (string, error) {
	content, err := command.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(command.Args, " "), err, content)
	}
	return string(content), nil
}

// ping asks Redis at address from inside a pod.
func (s *session) ping(pod, address string) error {
	answer, err := s.kubectl("exec", pod, "--", "redis-cli", "-t", "3", "-h", address, "ping")
	if err == nil && strings.TrimSpace(answer) != "PONG" {
		err = fmt.Errorf("redis at %s answered %q to %s", address, answer, pod)
	}
	return err
}

func (s *session) answerByAddress(ctx context.Context) error {
	for at, name := range s.pods {
		pod, err := s.client.CoreV1().Pods(namespace).Get(ctx, s.pods[(at+1)%len(s.pods)], metav1.GetOptions{})
		if err != nil {
			return err
		}
		if err := s.ping(name, pod.Status.PodIP); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) answerByService(ctx context.Context) error {
	service, err := s.client.CoreV1().Services(namespace).Get(ctx, "redis", metav1.GetOptions{})
	if err != nil {
		return err
	}
	for _, pod := range s.pods {
		// Several times, so that the pod's own address is among the targets:
		// a pod must reach itself through its Service.
		for range 4 {
			if err := s.ping(pod, service.Spec.ClusterIP); err != nil {
				return err
			}
		}
		for _, name := range []string{"redis", "redis." + namespace + ".svc.cluster.local"} {
			if err := s.ping(pod, name); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *session) volumeWritable(context.Context) error {
	for _, pod := range s.pods {
		owner, err := s.kubectl("exec", pod, "--", "sh", "-c", "echo kept > /data/file && stat -c %u:%g /data/file && stat -c %g:%a /data")
		if err != nil {
			return err
		}
		if lines := strings.Fields(owner); len(lines) != 2 || lines[0] != "999:999" || lines[1] != "999:2775" {
			return fmt.Errorf("file and folder in the volume of %s belong to %q", pod, owner)
		}
	}
	return nil
}

func (s *session) access(ctx context.Context) error {
	logs, err := s.kubectl("logs", s.pods[0])
	if err != nil {
		return err
	}
	if !strings.Contains(logs, "Ready to accept connections") {
		return fmt.Errorf("the log of %s does not have what Redis says: %q", s.pods[0], logs)
	}
	return s.portForward(ctx)
}

var forwarding = regexp.MustCompile(`Forwarding from (127\.0\.0\.1:\d+)`)

func (s *session) portForward(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	prepared := s.Program("kubectl", []string{"--namespace", namespace, "port-forward", "--address", "127.0.0.1", "service/redis", fmt.Sprintf(":%d", redisPort)})
	command := exec.CommandContext(ctx, prepared.Path, prepared.Args[1:]...)
	command.Env = prepared.Env
	stdout, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	defer func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	}()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	match := forwarding.FindStringSubmatch(line)
	if err != nil || match == nil {
		return fmt.Errorf("port-forward said %q: %v", line, err)
	}
	connection, err := net.DialTimeout("tcp", match[1], 5*time.Second)
	if err != nil {
		return err
	}
	defer connection.Close()
	_ = connection.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := connection.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	answer, err := bufio.NewReader(connection).ReadString('\n')
	if err == nil && answer != "+PONG\r\n" {
		err = fmt.Errorf("redis answered %q through port-forward", answer)
	}
	return err
}

func (s *session) claimGrows(ctx context.Context) error {
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"resources": map[string]any{
		"requests": map[string]string{"storage": "2Gi"},
	}}})
	if err != nil {
		return err
	}
	claims := s.client.CoreV1().PersistentVolumeClaims(namespace)
	if _, err := claims.Patch(ctx, s.pods[0], types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		return err
	}
	return eventually(ctx, func(ctx context.Context) error {
		claim, err := claims.Get(ctx, s.pods[0], metav1.GetOptions{})
		if err != nil {
			return err
		}
		if size := claim.Status.Capacity[corev1.ResourceStorage]; size.String() != "2Gi" {
			return fmt.Errorf("the claim has %s", size.String())
		}
		return nil
	})
}

// askRedis is bash's own TCP client: $1 is the host to ask.
const askRedis = `exec 3<>"/dev/tcp/$1/6379" && printf 'PING\r\n' >&3 && read -r -t 5 answer <&3 && echo "$answer"`

func (s *session) insideNetwork(context.Context) error {
	answer, err := output(s.Enter([]string{"bash", "-c", askRedis, "ask", "redis." + namespace + ".svc.cluster.local"}))
	if err != nil {
		return err
	}
	if strings.TrimSpace(answer) != "+PONG" {
		return fmt.Errorf("redis answered %q to a command of the host's", answer)
	}
	_, err = output(s.Enter([]string{"kubectl", "get", "nodes"}))
	return err
}

func (s *session) volumesGo(ctx context.Context) error {
	if err := s.removeNamespace(ctx); err != nil {
		return err
	}
	return eventually(ctx, func(ctx context.Context) error {
		volumes, err := s.client.CoreV1().PersistentVolumes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, volume := range volumes.Items {
			if volume.Spec.ClaimRef != nil && volume.Spec.ClaimRef.Namespace == namespace {
				return fmt.Errorf("volume %s is still there, %s", volume.Name, volume.Status.Phase)
			}
		}
		return nil
	})
}
