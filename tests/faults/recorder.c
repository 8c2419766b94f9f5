/* Writes down what a program does to files below RECORD_BELOW, and what it says on sockets, in the order in which it
   happened over all its processes: LD_PRELOAD it and name the file for it in RECORD_TO. Each entry is a struct entry,
   then path, then data. One lock holds an operation and its entry together. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

struct entry {
  uint32_t kind; /* C new file, M new directory, L link, R rename (data: new path), U unlink, W write, T truncate,
                    Y sync of a file, D sync of a directory, S said on a socket */
  uint32_t path_size;
  uint64_t inode, offset, data_size;
};

static _Atomic int32_t *lock;
static const char *below;
static int out = -1;

/* A parser writes no file, and dies of its limits if we do so in its name, with the lock in its hand. */
static int is_parser(void) {
  char line[4096];
  int fd = syscall(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC, 0);
  ssize_t n = fd < 0 ? 0 : syscall(SYS_read, fd, line, sizeof line);
  if (fd >= 0) syscall(SYS_close, fd);
  return n > 0 && memmem(line, n, "parse_child", 11) != NULL;
}

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("RECORD_TO");
  below = getenv("RECORD_BELOW");
  if (!path || !below || is_parser()) return;
  char name[4096];
  snprintf(name, sizeof name, "%s.lock", path);
  int fd = syscall(SYS_openat, AT_FDCWD, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 || syscall(SYS_ftruncate, fd, 4096)) return;
  void *m = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (m == MAP_FAILED) return;
  lock = m;
  out = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void take(void) {
  int32_t zero = 0;
  while (!atomic_compare_exchange_weak(lock, &zero, 1)) { zero = 0; sched_yield(); }
}
static void give(void) { int saved = errno; atomic_store(lock, 0); errno = saved; }

static int name_of(int fd, char *path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, 4095);
  if (n <= 0) return 0;
  path[n] = 0;
  return 1;
}
static int is_below(const char *path) { return out >= 0 && !strncmp(path, below, strlen(below)); }
static int is_ours(int fd) { char path[4096]; return out >= 0 && name_of(fd, path) && is_below(path); }
static uint64_t inode(int fd) { struct stat s; return fstat(fd, &s) ? 0 : s.st_ino; }

static void note(char kind, const char *path, uint64_t ino, uint64_t offset, const struct iovec *v, int n, size_t most) {
  int saved = errno;
  struct iovec all[1026];
  size_t left = most;
  int used = 2;
  for (int i = 0; i < n && used < 1026 && left; i++) {
    size_t size = v[i].iov_len < left ? v[i].iov_len : left;
    all[used].iov_base = v[i].iov_base;
    all[used++].iov_len = size;
    left -= size;
  }
  struct entry e = {kind, path ? strlen(path) : 0, ino, offset, most - left};
  all[0].iov_base = &e;
  all[0].iov_len = sizeof e;
  all[1].iov_base = (void *)path;
  all[1].iov_len = e.path_size;
  if (syscall(SYS_writev, out, all, used) < 0) abort();
  errno = saved;
}

#define REAL(type, name, ...) static type (*real)(__VA_ARGS__); if (!real) real = dlsym(RTLD_NEXT, name)

static int opened(int fd, int existed) {
  char path[4096];
  if (fd >= 0 && !existed && name_of(fd, path) && is_below(path)) note('C', path, inode(fd), 0, 0, 0, 0);
  return fd;
}
#define OPEN(function, text)                                                      \
  int function(const char *path, int flags, ...) {                                \
    REAL(int, text, const char *, int, ...);                                      \
    va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest); \
    if (out < 0 || !(flags & O_CREAT)) return real(path, flags, mode);            \
    take();                                                                       \
    int existed = !access(path, F_OK), fd = opened(real(path, flags, mode), existed); \
    give();                                                                       \
    return fd;                                                                    \
  }
OPEN(open, "open")
OPEN(open64, "open64")

#define WRITTEN(fd, offset, v, n, call)                     \
  if (!is_ours(fd)) return call;                            \
  take();                                                   \
  ssize_t done = call;                                      \
  if (done > 0) note('W', 0, inode(fd), offset, v, n, done); \
  give();                                                   \
  return done;

ssize_t pwrite(int fd, const void *b, size_t n, off_t o) {
  REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
  struct iovec v = {(void *)b, n};
  WRITTEN(fd, o, &v, 1, real(fd, b, n, o))
}
ssize_t pwrite64(int fd, const void *b, size_t n, off64_t o) { return pwrite(fd, b, n, o); }
ssize_t pwritev(int fd, const struct iovec *v, int n, off_t o) {
  REAL(ssize_t, "pwritev", int, const struct iovec *, int, off_t);
  WRITTEN(fd, o, v, n, real(fd, v, n, o))
}
ssize_t pwritev64(int fd, const struct iovec *v, int n, off64_t o) { return pwritev(fd, v, n, o); }
ssize_t pwritev2(int fd, const struct iovec *v, int n, off_t o, int flags) {
  REAL(ssize_t, "pwritev2", int, const struct iovec *, int, off_t, int);
  WRITTEN(fd, o, v, n, real(fd, v, n, o, flags))
}
ssize_t pwritev64v2(int fd, const struct iovec *v, int n, off64_t o, int flags) { return pwritev2(fd, v, n, o, flags); }
ssize_t write(int fd, const void *b, size_t n) {
  REAL(ssize_t, "write", int, const void *, size_t);
  struct iovec v = {(void *)b, n};
  WRITTEN(fd, (uint64_t)lseek(fd, 0, SEEK_CUR) - done, &v, 1, real(fd, b, n))
}
ssize_t writev(int fd, const struct iovec *v, int n) {
  REAL(ssize_t, "writev", int, const struct iovec *, int);
  WRITTEN(fd, (uint64_t)lseek(fd, 0, SEEK_CUR) - done, v, n, real(fd, v, n))
}

int ftruncate(int fd, off_t size) {
  REAL(int, "ftruncate", int, off_t);
  if (!is_ours(fd)) return real(fd, size);
  take();
  int code = real(fd, size);
  if (!code) note('T', 0, inode(fd), size, 0, 0, 0);
  give();
  return code;
}
int ftruncate64(int fd, off64_t size) { return ftruncate(fd, size); }

static int synced(int fd, int (*real)(int)) {
  char path[4096];
  if (out < 0 || !name_of(fd, path) || !is_below(path)) return real(fd);
  struct stat s;
  if (fstat(fd, &s)) return real(fd);
  take();
  int code = real(fd);
  if (!code) note(S_ISDIR(s.st_mode) ? 'D' : 'Y', path, s.st_ino, 0, 0, 0, 0);
  give();
  return code;
}
int fsync(int fd) { REAL(int, "fsync", int); return synced(fd, real); }
int fdatasync(int fd) { REAL(int, "fdatasync", int); return synced(fd, real); }

#define NAMED(kind, path, call)                                                   \
  if (!is_below(path)) return call;                                               \
  take();                                                                         \
  struct stat s;                                                                  \
  int code = call;                                                                \
  if (!code) note(kind, path, kind == 'U' || stat(path, &s) ? 0 : s.st_ino, 0, 0, 0, 0); \
  give();                                                                         \
  return code;

int mkdir(const char *path, mode_t mode) {
  REAL(int, "mkdir", const char *, mode_t);
  NAMED('M', path, real(path, mode))
}
int link(const char *from, const char *to) {
  REAL(int, "link", const char *, const char *);
  NAMED('L', to, real(from, to))
}
int linkat(int a, const char *from, int b, const char *to, int flags) {
  REAL(int, "linkat", int, const char *, int, const char *, int);
  NAMED('L', to, real(a, from, b, to, flags))
}
int unlink(const char *path) {
  REAL(int, "unlink", const char *);
  NAMED('U', path, real(path))
}
int unlinkat(int at, const char *path, int flags) {
  REAL(int, "unlinkat", int, const char *, int);
  NAMED('U', path, real(at, path, flags))
}
int rename(const char *from, const char *to) {
  REAL(int, "rename", const char *, const char *);
  if (!is_below(to)) return real(from, to);
  take();
  struct stat s;
  int code = real(from, to);
  struct iovec v = {(void *)to, strlen(to)};
  if (!code) note('R', from, stat(to, &s) ? 0 : s.st_ino, 0, &v, 1, v.iov_len);
  give();
  return code;
}

/* What leaves is written down before it leaves: whatever it promises must be kept by what stands before it. */
static void saying(const struct iovec *v, int n) {
  if (out < 0) return;
  take();
  note('S', 0, 0, 0, v, n, 120);
  give();
}
ssize_t send(int fd, const void *b, size_t n, int flags) {
  REAL(ssize_t, "send", int, const void *, size_t, int);
  struct iovec v = {(void *)b, n};
  saying(&v, 1);
  return real(fd, b, n, flags);
}
ssize_t sendmsg(int fd, const struct msghdr *m, int flags) {
  REAL(ssize_t, "sendmsg", int, const struct msghdr *, int);
  saying(m->msg_iov, m->msg_iovlen);
  return real(fd, m, flags);
}
