//go:build ignore

// Holds a pod's namespaces open, reaps what its containers leave behind and
// ends when told to. Linked statically, it is the whole image. (The first line
// keeps the Go tool from taking the file for a part of the package.)
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void end(int signal) { (void)signal; _exit(0); }

static void reap(int signal) {
  (void)signal;
  while (waitpid(-1, NULL, WNOHANG) > 0) {
  }
}

int main(void) {
  signal(SIGINT, end);
  signal(SIGTERM, end);
  signal(SIGCHLD, reap);
  for (;;) pause();
}
