/*
 * The first process of a Linux guest that the tests know: it starts processes of many kinds, writes what the kernel says of them
 * to the first NVMe disk as a tar archive, and prints TRUTH READY on the console. With the argument "panic" it then lets the kernel
 * panic. Nothing else runs in the guest. Every process is this program, started again under the name of its part.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Where each process says that it has reached the state in which it stays. */
#define READY_FD 3
#define DISK "/dev/nvme0n1"

static char *const environment[] = {"HOME=/", "TERM=linux", "GUESTCORE=a value, with = and spaces", NULL};

static void fail(const char *what) {
    printf("TRUTH FAILED: %s: %s\n", what, strerror(errno));
    fflush(stdout);
    for (;;) {
        pause();
    }
}

static int check(int result, const char *what) {
    if (result < 0) {
        fail(what);
    }
    return result;
}

static void ready(void) {
    check(write(READY_FD, "x", 1), "ready");
    close(READY_FD);
}

static void stay(void) {
    ready();
    for (;;) {
        pause();
    }
}

/* Starts this program again; its name is the first argument. */
static void become(char *const arguments[]) {
    execve("/init", arguments, environment);
    fail(arguments[0]);
}

static pid_t start(char *const arguments[]) {
    pid_t pid = check(fork(), "fork");
    if (pid == 0) {
        become(arguments);
    }
    return pid;
}

static void *thread_of(void *name) {
    prctl(PR_SET_NAME, name);
    check(write(READY_FD, "x", 1), "ready");
    for (;;) {
        pause();
    }
    return NULL;
}

static void threads(void) {
    static char names[3][16] = {"worker-0", "worker-1", "worker (2) S"};
    pthread_t thread;
    for (int i = 0; i < 3; i++) {
        if (pthread_create(&thread, NULL, thread_of, names[i]) != 0) {
            fail("pthread_create");
        }
    }
    check(write(READY_FD, "x", 1), "ready");
    for (;;) {
        pause();
    }
}

static void spinner(void) {
    setpriority(PRIO_PROCESS, 0, 19);
    ready();
    for (volatile unsigned long turns = 0;; turns++) {
    }
}

/* Its parent waits for it without being woken by signals: state D. */
static void vfork_parent(void) {
    pid_t pid = vfork();
    if (pid == 0) {
        ready();
        for (;;) {
            pause();
        }
    }
}

static void zombie_parent(void) {
    pid_t pid = check(fork(), "fork");
    if (pid == 0) {
        prctl(PR_SET_NAME, "zombie");
        _exit(7);
    }
    siginfo_t info;
    check(waitid(P_PID, pid, &info, WEXITED | WNOWAIT), "waitid");
    stay();
}

static void stopped(void) {
    ready();
    raise(SIGSTOP);
    for (;;) {
        pause();
    }
}

static void user(void) {
    check(setgid(1234), "setgid");
    check(setuid(1000), "setuid");
    stay();
}

static void namespaces(void) {
    check(unshare(CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC), "unshare");
    check(sethostname("inner", 5), "sethostname");
    mkdir("/tmp/inner", 0700);
    check(mount("inner", "/tmp/inner", "tmpfs", MS_NOSUID | MS_NODEV, "size=64k"), "mount");
    pid_t pid = check(fork(), "fork");
    if (pid == 0) {
        char *arguments[] = {"inner", "of", "namespaces", NULL};
        become(arguments);
    }
    stay();
}

static void tcp(int family, int port) {
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr *address = family == AF_INET ? (struct sockaddr *) &four : (struct sockaddr *) &six;
    socklen_t size = family == AF_INET ? sizeof four : sizeof six;
    int one = 1;
    int listening = check(socket(family, SOCK_STREAM, 0), "socket");
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    check(bind(listening, address, size), "bind");
    check(listen(listening, 5), "listen");
    int client = check(socket(family, SOCK_STREAM, 0), "socket");
    check(connect(client, address, size), "connect");
    check(accept(listening, NULL, NULL), "accept");
    check(write(client, "unread", 6), "write");
}

static void udp(int family, int port) {
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_ANY_INIT};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
    int bound = check(socket(family, SOCK_DGRAM, 0), "socket");
    int one = 1;
    if (family == AF_INET6) {
        setsockopt(bound, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    }
    check(bind(bound, family == AF_INET ? (struct sockaddr *) &four : (struct sockaddr *) &six,
            family == AF_INET ? sizeof four : sizeof six), "bind");
}

static void unix_sockets(void) {
    struct sockaddr_un named = {.sun_family = AF_UNIX, .sun_path = "/tmp/socket"};
    struct sockaddr_un abstract = {.sun_family = AF_UNIX, .sun_path = "\0guestcore-abstract"};
    int listening = check(socket(AF_UNIX, SOCK_STREAM, 0), "socket");
    check(bind(listening, (struct sockaddr *) &named, sizeof named), "bind");
    check(listen(listening, 3), "listen");
    int client = check(socket(AF_UNIX, SOCK_STREAM, 0), "socket");
    check(connect(client, (struct sockaddr *) &named, sizeof named), "connect");
    int datagram = check(socket(AF_UNIX, SOCK_DGRAM, 0), "socket");
    check(bind(datagram, (struct sockaddr *) &abstract, offsetof(struct sockaddr_un, sun_path) + 19), "bind");
    int pair[2];
    check(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), "socketpair");
}

static void sockets(void) {
    tcp(AF_INET, 8080);
    tcp(AF_INET6, 8081);
    udp(AF_INET, 5353);
    udp(AF_INET6, 5354);
    unix_sockets();
    check(socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ARP)), "packet");
    check(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), "raw");
    check(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), "netlink");
    stay();
}

static void files(void) {
    int ends[2];
    check(pipe(ends), "pipe");
    int watched = check(eventfd(42, 0), "eventfd");
    int epoll = check(epoll_create1(0), "epoll");
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 1};
    check(epoll_ctl(epoll, EPOLL_CTL_ADD, watched, &event), "epoll_ctl");
    check(timerfd_create(CLOCK_MONOTONIC, 0), "timerfd");
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    check(signalfd(-1, &signals, 0), "signalfd");
    check(inotify_init1(0), "inotify");
    int open_file = check(open("/tmp/open file", O_RDWR | O_CREAT, 0600), "open");
    check(write(open_file, "12345", 5), "write");
    int deleted = check(open("/tmp/deleted", O_RDWR | O_CREAT, 0600), "open");
    check(unlink("/tmp/deleted"), "unlink");
    check(write(deleted, "gone", 4), "write");
    int in_memory = check(memfd_create("in memory", 0), "memfd");
    check(ftruncate(in_memory, 8192), "ftruncate");
    check(open("/bound/inside", O_RDWR | O_CREAT, 0600), "open");
    check(open("/dev/null", O_RDONLY), "open");
    check(open("/proc/1/status", O_RDONLY), "open");
    check(dup2(open_file, 200), "dup2");
    stay();
}

static void maps(void) {
    char *touched = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(touched, 0x5a, 4 << 20);
    mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    int file = check(open("/tmp/mapped", O_RDWR | O_CREAT, 0600), "open");
    check(ftruncate(file, 1 << 20), "ftruncate");
    char *shared = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    memset(shared, 1, 1 << 19);
    mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, check(open("/init", O_RDONLY), "open"), 0);
    /* Many areas, so that the tree that holds them has several levels. */
    for (int i = 0; i < 200; i++) {
        mmap(NULL, 4096, i % 2 == 0 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    }
    prctl(PR_SET_NAME, "maps\ttab\033[1m");
    stay();
}

static void sleeper(void) {
    ready();
    struct timespec day = {86400, 0};
    for (;;) {
        nanosleep(&day, NULL);
    }
}

/* The archive. */

static int disk;

static void put(const void *bytes, size_t size) {
    const char *from = bytes;
    while (size > 0) {
        ssize_t done = write(disk, from, size);
        if (done <= 0) {
            fail("write to the disk");
        }
        from += done;
        size -= done;
    }
}

static void add(const char *name, const char *content, size_t size) {
    char header[512] = {0};
    snprintf(header, 100, "%s", name + (name[0] == '/'));
    snprintf(header + 100, 8, "%07o", 0644);
    snprintf(header + 108, 8, "%07o", 0);
    snprintf(header + 116, 8, "%07o", 0);
    snprintf(header + 124, 12, "%011zo", size);
    snprintf(header + 136, 12, "%011o", 0);
    memset(header + 148, ' ', 8);
    header[156] = '0';
    memcpy(header + 257, "ustar\00000", 8);
    unsigned sum = 0;
    for (int i = 0; i < 512; i++) {
        sum += (unsigned char) header[i];
    }
    snprintf(header + 148, 8, "%06o", sum);
    put(header, sizeof header);
    put(content, size);
    static const char zeros[512];
    put(zeros, -size % 512);
}

static char *buffer;
static size_t capacity;

static size_t slurp(const char *path) {
    int from = open(path, O_RDONLY);
    size_t size = 0;
    while (from >= 0) {
        if (capacity - size < 1 << 16) {
            capacity = 2 * capacity + (1 << 20);
            buffer = realloc(buffer, capacity);
        }
        ssize_t done = read(from, buffer + size, capacity - size);
        if (done <= 0) {
            break;
        }
        size += done;
    }
    if (from >= 0) {
        close(from);
    }
    return size;
}

static void record(const char *path) {
    size_t size = slurp(path);
    add(path, buffer, size);
}

typedef void (*visit)(const char *folder, const char *name);

static void each(const char *folder, visit visit) {
    DIR *list = opendir(folder);
    if (list == NULL) {
        return;
    }
    for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
        if (entry->d_name[0] != '.') {
            visit(folder, entry->d_name);
        }
    }
    closedir(list);
}

static void record_in(const char *folder, const char *name) {
    char path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    record(path);
}

static char links[1 << 16];

static void add_link(const char *folder, const char *name) {
    char path[300];
    char target[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    ssize_t size = readlink(path, target, sizeof target - 1);
    if (size >= 0) {
        target[size] = 0;
        size_t used = strlen(links);
        snprintf(links + used, sizeof links - used, "%s\t%s\n", name, target);
    }
}

static void record_links(const char *folder) {
    links[0] = 0;
    each(folder, add_link);
    add(folder, links, strlen(links));
}

static const char *const of_thread[] = {"stat", "status", "comm", "stack", "wchan", "syscall", NULL};
static const char *const of_process[] = {"cmdline", "environ", "maps", "smaps_rollup", "statm", "mountinfo", "cgroup", "limits", NULL};
static const char *const of_net[] = {"dev", "if_inet6", "fib_trie", "route", "ipv6_route", "arp", "tcp", "tcp6", "udp", "udp6", "raw",
        "raw6", "unix", "packet", "netlink", "sockstat", NULL};

static void record_all(const char *folder, const char *const names[]) {
    for (int i = 0; names[i] != NULL; i++) {
        record_in(folder, names[i]);
    }
}

static void record_thread(const char *folder, const char *name) {
    char path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    record_all(path, of_thread);
}

static void record_process(const char *folder, const char *name) {
    char path[300];
    char below[310];
    if (name[0] < '0' || name[0] > '9') {
        return;
    }
    snprintf(path, sizeof path, "%s/%s", folder, name);
    record_all(path, of_thread);
    record_all(path, of_process);
    snprintf(below, sizeof below, "%s/fd", path);
    record_links(below);
    snprintf(below, sizeof below, "%s/ns", path);
    record_links(below);
    links[0] = 0;
    add_link(path, "exe");
    add_link(path, "cwd");
    add_link(path, "root");
    snprintf(below, sizeof below, "%s/links", path);
    add(below, links, strlen(links));
    snprintf(below, sizeof below, "%s/fdinfo", path);
    each(below, record_in);
    snprintf(below, sizeof below, "%s/task", path);
    each(below, record_thread);
    snprintf(below, sizeof below, "%s/comm", path);
    size_t size = slurp(below);
    if ((size == 6 && memcmp(buffer, "inner", 5) == 0) || strcmp(name, "1") == 0) {
        snprintf(below, sizeof below, "%s/net", path);
        record_all(below, of_net);
    }
}

static void record_interface(const char *folder, const char *name) {
    static const char *const facts[] = {"address", "flags", "ifindex", "mtu", "operstate", "type", "tx_queue_len", NULL};
    char path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    record_all(path, facts);
}

static void record_kmsg(void) {
    int from = check(open("/dev/kmsg", O_RDONLY | O_NONBLOCK), "/dev/kmsg");
    size_t size = 0;
    for (;;) {
        if (capacity - size < 1 << 16) {
            capacity = 2 * capacity + (1 << 20);
            buffer = realloc(buffer, capacity);
        }
        ssize_t done = read(from, buffer + size, 1 << 16);
        if (done < 0 && errno == EPIPE) {
            continue;
        }
        if (done <= 0) {
            break;
        }
        size += done;
    }
    close(from);
    add("kmsg", buffer, size);
}

static void record_clocks(void) {
    struct timespec real;
    struct timespec monotonic;
    struct timespec boot;
    char text[200];
    clock_gettime(CLOCK_REALTIME, &real);
    clock_gettime(CLOCK_MONOTONIC, &monotonic);
    clock_gettime(CLOCK_BOOTTIME, &boot);
    int size = snprintf(text, sizeof text, "realtime %ld.%09ld\nmonotonic %ld.%09ld\nboottime %ld.%09ld\n", (long) real.tv_sec,
            real.tv_nsec, (long) monotonic.tv_sec, monotonic.tv_nsec, (long) boot.tv_sec, boot.tv_nsec);
    add("clocks", text, size);
}

static void recorder(int panics) {
    static const char *const fixed[] = {"/proc/version", "/proc/cmdline", "/proc/kallsyms", "/proc/cpuinfo", "/proc/iomem",
            "/proc/ioports", "/proc/filesystems", "/proc/devices", "/sys/kernel/notes", "/sys/kernel/vmcoreinfo", NULL};
    static const char *const changing[] = {"/proc/modules", "/proc/mounts", "/proc/interrupts", "/proc/softirqs", "/proc/meminfo",
            "/proc/vmstat", "/proc/zoneinfo", "/proc/buddyinfo", "/proc/slabinfo", "/proc/vmallocinfo", "/proc/loadavg", "/proc/stat",
            "/proc/uptime", "/proc/timer_list", "/proc/locks", "/proc/sys/kernel/random/boot_id", "/proc/sys/kernel/tainted",
            NULL};
    disk = check(open(DISK, O_WRONLY), DISK);
    record_all("", fixed);
    each("/sys/kernel/btf", record_in);
    fsync(disk);
    sleep(1);
    each("/sys/class/net", record_interface);
    record_all("", changing);
    each("/proc", record_process);
    record_kmsg();
    record_clocks();
    static const char end[1024];
    put(end, sizeof end);
    fsync(disk);
    close(disk);
    free(buffer);
    printf("TRUTH READY\n");
    fflush(stdout);
    if (panics) {
        int trigger = check(open("/proc/sysrq-trigger", O_WRONLY), "sysrq-trigger");
        check(write(trigger, "c", 1), "sysrq");
    }
    for (;;) {
        pause();
    }
}

/* What the first process does. */

static void load(const char *name) {
    char path[64];
    snprintf(path, sizeof path, "/%s.ko", name);
    int file = check(open(path, O_RDONLY | O_CLOEXEC), path);
    check(syscall(SYS_finit_module, file, "", 0), path);
    close(file);
}

static void address(const char *interface, const char *four, const char *six) {
    struct ifreq request = {0};
    int control = check(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
    snprintf(request.ifr_name, IFNAMSIZ, "%s", interface);
    if (four != NULL) {
        struct sockaddr_in *in = (struct sockaddr_in *) &request.ifr_addr;
        in->sin_family = AF_INET;
        inet_pton(AF_INET, four, &in->sin_addr);
        check(ioctl(control, SIOCSIFADDR, &request), "SIOCSIFADDR");
        inet_pton(AF_INET, "255.255.255.0", &in->sin_addr);
        check(ioctl(control, SIOCSIFNETMASK, &request), "SIOCSIFNETMASK");
    }
    check(ioctl(control, SIOCGIFFLAGS, &request), "SIOCGIFFLAGS");
    request.ifr_flags |= IFF_UP;
    check(ioctl(control, SIOCSIFFLAGS, &request), "SIOCSIFFLAGS");
    close(control);
    if (six != NULL) {
        struct { struct in6_addr address; uint32_t prefix; int index; } add6 = {.prefix = 64, .index = if_nametoindex(interface)};
        inet_pton(AF_INET6, six, &add6.address);
        control = check(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
        check(ioctl(control, SIOCSIFADDR, &add6), "SIOCSIFADDR of IPv6");
        close(control);
    }
}

static void say(const char *line) {
    int kmsg = check(open("/dev/kmsg", O_WRONLY | O_CLOEXEC), "/dev/kmsg");
    check(write(kmsg, line, strlen(line)), "/dev/kmsg");
    close(kmsg);
}

static void prepare(void) {
    mkdir("/proc", 0755);
    mkdir("/sys", 0755);
    mkdir("/tmp", 0755);
    mkdir("/bound", 0755);
    check(mount("proc", "/proc", "proc", MS_NOSUID, NULL), "/proc");
    check(mount("sysfs", "/sys", "sysfs", MS_RDONLY, NULL), "/sys");
    check(mount("devtmpfs", "/dev", "devtmpfs", 0, NULL), "/dev");
    check(mount("scratch space", "/tmp", "tmpfs", MS_NOATIME, "size=16m"), "/tmp");
    mkdir("/tmp/source", 0755);
    check(mount("/tmp/source", "/bound", NULL, MS_BIND, NULL), "/bound");
    load("qemu_fw_cfg");
    load("llc");
    load("stp");
    load("dummy");
    address("lo", NULL, NULL);
    address("dummy0", "192.0.2.1", "2001:db8::1");
    say("<3>guestcore: an error\n");
    say("<12>guestcore: of a user, a warning\n");
    say("<5>guestcore: two\nlines, the second with \x01 and \xff\n");
    say("<191>guestcore: the last facility, debugging\n");
}

static const struct { char *arguments[5]; int says; void (*part)(void); } PARTS[] = {
    {{"sleeper", "--option", "two words", ""}, 1, sleeper},
    {{"threads", "3"}, 4, threads},
    {{"spinner"}, 1, spinner},
    {{"vfork parent"}, 1, vfork_parent},
    {{"zombie parent"}, 1, zombie_parent},
    {{"stopped"}, 1, stopped},
    {{"odd) R 1 (name"}, 1, stay},
    {{"user"}, 1, user},
    {{"namespaces"}, 2, namespaces},
    {{"inner"}, 0, stay},
    {{"sockets"}, 1, sockets},
    {{"files"}, 1, files},
    {{"maps"}, 1, maps},
};

#define PART_COUNT (sizeof PARTS / sizeof PARTS[0])

int main(int count, char **arguments) {
    if (getpid() != 1 || strcmp(arguments[0], "/init") != 0) {
        prctl(PR_SET_NAME, arguments[0]);
        for (unsigned i = 0; i < PART_COUNT; i++) {
            if (strcmp(PARTS[i].arguments[0], arguments[0]) == 0) {
                PARTS[i].part();
            }
        }
        recorder(count > 1);
    }
    prepare();
    int ends[2];
    check(pipe(ends), "pipe");
    int said = fcntl(ends[0], F_DUPFD_CLOEXEC, 10);
    check(dup2(ends[1], READY_FD), "dup2");
    if (ends[0] != READY_FD) {
        close(ends[0]);
    }
    if (ends[1] != READY_FD) {
        close(ends[1]);
    }
    for (unsigned i = 0; i < PART_COUNT; i++) {
        if (PARTS[i].says == 0) {
            continue;
        }
        start(PARTS[i].arguments);
        for (int j = 0; j < PARTS[i].says; j++) {
            char byte;
            check(read(said, &byte, 1), "read");
        }
    }
    close(said);
    close(READY_FD);
    sleep(1);
    char *plain[] = {"recorder", NULL};
    char *panics[] = {"recorder", "panics", NULL};
    start(count > 1 && strcmp(arguments[1], "panic") == 0 ? panics : plain);
    for (;;) {
        pause();
    }
}
