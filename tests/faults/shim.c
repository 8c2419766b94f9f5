/* Fails chosen writes and syncs of a program, for tests: LD_PRELOAD it and name a control file in FAULT_CONTROL.
   The control file is shared memory: see struct control. Only descriptors of files below FAULT_BELOW are touched. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

struct control {
  _Atomic int32_t countdown; /* the call that brings it to 0 fails; below 0: idle */
  int32_t error;             /* errno of the failure */
  int32_t kinds;             /* 1 write, 2 sync */
  int32_t sticky;            /* 1: every later call fails, too */
  int32_t is_short;          /* 1: half of the bytes are written, then success is reported for that half */
  _Atomic int32_t hits;      /* calls that failed */
  _Atomic int32_t seen;      /* calls that counted */
};

static struct control *c;
static const char *below;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("FAULT_CONTROL");
  below = getenv("FAULT_BELOW");
  if (!path || !below) return;
  int fd = open(path, O_RDWR);
  if (fd < 0) return;
  void *m = mmap(0, sizeof *c, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (m != MAP_FAILED) c = m;
}

static int ours(int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, sizeof path - 1);
  if (n <= 0) return 0;
  path[n] = 0;
  return !strncmp(path, below, strlen(below));
}

static int fails(int fd, int kind) {
  if (!c || !(c->kinds & kind) || atomic_load(&c->countdown) < 0 || !ours(fd)) return 0;
  atomic_fetch_add(&c->seen, 1);
  int32_t left = atomic_load(&c->countdown);
  if (left == 0) { if (!c->sticky) return 0; }
  else if (atomic_fetch_sub(&c->countdown, 1) != 1) return 0;
  atomic_fetch_add(&c->hits, 1);
  errno = c->error;
  return 1;
}

#define REAL(type, name, ...) static type (*real)(__VA_ARGS__); if (!real) real = dlsym(RTLD_NEXT, name)

ssize_t write(int fd, const void *b, size_t n) {
  REAL(ssize_t, "write", int, const void *, size_t);
  if (fails(fd, 1)) { if (c->is_short && n > 1) return real(fd, b, n / 2); errno = c->error; return -1; }
  return real(fd, b, n);
}
ssize_t pwrite(int fd, const void *b, size_t n, off_t o) {
  REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
  if (fails(fd, 1)) { if (c->is_short && n > 1) return real(fd, b, n / 2, o); errno = c->error; return -1; }
  return real(fd, b, n, o);
}
ssize_t pwrite64(int fd, const void *b, size_t n, off64_t o) {
  REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
  if (fails(fd, 1)) { if (c->is_short && n > 1) return real(fd, b, n / 2, o); errno = c->error; return -1; }
  return real(fd, b, n, o);
}
ssize_t writev(int fd, const struct iovec *v, int n) {
  REAL(ssize_t, "writev", int, const struct iovec *, int);
  if (fails(fd, 1)) { if (c->is_short && n > 0 && v[0].iov_len > 1) return write(fd, v[0].iov_base, v[0].iov_len / 2); errno = c->error; return -1; }
  return real(fd, v, n);
}
ssize_t pwritev(int fd, const struct iovec *v, int n, off_t o) {
  REAL(ssize_t, "pwritev", int, const struct iovec *, int, off_t);
  if (fails(fd, 1)) { if (c->is_short && n > 0 && v[0].iov_len > 1) { REAL(ssize_t, "pwrite", int, const void *, size_t, off_t); return real(fd, v[0].iov_base, v[0].iov_len / 2, o); } errno = c->error; return -1; }
  return real(fd, v, n, o);
}
ssize_t pwritev64(int fd, const struct iovec *v, int n, off64_t o) { return pwritev(fd, v, n, o); }
ssize_t pwritev2(int fd, const struct iovec *v, int n, off_t o, int flags) {
  REAL(ssize_t, "pwritev2", int, const struct iovec *, int, off_t, int);
  if (fails(fd, 1)) { errno = c->error; return -1; }
  return real(fd, v, n, o, flags);
}
int fsync(int fd) {
  REAL(int, "fsync", int);
  if (fails(fd, 2)) { errno = c->error; return -1; }
  return real(fd);
}
int fdatasync(int fd) {
  REAL(int, "fdatasync", int);
  if (fails(fd, 2)) { errno = c->error; return -1; }
  return real(fd);
}
