/* The load client: many WebSockets in one epoll loop, which counts, times and orders what they are sent.
 *
 *     client PORT TARGETS BOARD
 *
 * TARGETS has a line a socket: its path, and after a tab what it says once it is open (nothing for nothing). An event is
 * whatever holds `"n":<number>` (from 1, without gaps, for each socket) and perhaps `"t":<microseconds since 1970>`.
 * BOARD is a file of 16 counters that is mapped into memory, so that whoever sends can see how much has arrived.
 * Commands come on standard input: `reset`, `show` (a line of JSON), `quit`.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { OPEN_AT_ONCE = 50, BUCKETS = 4096, READ_BYTES = 1 << 20 };
enum { ARRIVED, READY, CLOSED };                     /* the counters on the board */
enum { CONNECTING, UPGRADING, OPEN, LIVE, GONE };    /* the life of a socket */

struct socket_ {
    int fd, state;
    char *path, *hello;
    unsigned char *kept;   /* half a frame */
    size_t kept_bytes, kept_room;
    uint64_t last;         /* the n seen last */
};

static struct socket_ *sockets;
static int count, opened, epoll_fd;
static struct sockaddr_in server;
static volatile uint64_t *board;
static unsigned char *incoming;

/* What `show` tells, since the last `reset`. Latencies in buckets that widen by a 128th. */
static uint64_t frames, bytes_in, bytes_out, missed, repeated, late, timed, most_us, buckets[BUCKETS];

static uint64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int bucket_of(uint64_t us) {
    if (us < 256) return us;
    int shift = 63 - __builtin_clzll(us) - 7;
    int found = 256 + (shift - 1) * 128 + (int)((us >> shift) - 128);
    return found < BUCKETS ? found : BUCKETS - 1;
}

static uint64_t us_of(int bucket) {
    if (bucket < 256) return bucket;
    int shift = (bucket - 256) / 128 + 1;
    return (uint64_t)((bucket - 256) % 128 + 128) << shift;
}

static uint64_t quantile(double share) {
    uint64_t wanted = (uint64_t)(share * timed), seen = 0;
    for (int i = 0; i < BUCKETS; i++)
        if ((seen += buckets[i]) > wanted) return us_of(i);
    return most_us;
}

static void note_time(uint64_t sent_us) {
    uint64_t now = now_us(), us = now > sent_us ? now - sent_us : 0;
    buckets[bucket_of(us)]++;
    timed++;
    late += us > 1000000;
    if (us > most_us) most_us = us;
}

static void open_next(void);

static void drop(struct socket_ *one) {
    if (one->state == GONE) return;
    int was_opening = one->state < LIVE;
    one->state = GONE;
    close(one->fd);
    board[CLOSED]++;
    if (was_opening) open_next();
}

static void put(struct socket_ *one, const void *data, size_t size) {
    if (send(one->fd, data, size, MSG_NOSIGNAL) == (ssize_t)size) bytes_out += size;
    else drop(one);
}

/* A client's frame is masked; a mask of zeros changes nothing. */
static void say(struct socket_ *one, int opcode, const char *text, size_t size) {
    unsigned char frame[8192];
    if (size > sizeof frame - 8) return;
    size_t head = size < 126 ? 2 : 4;
    frame[0] = 0x80 | opcode;
    frame[1] = 0x80 | (size < 126 ? size : 126);
    if (size >= 126) { frame[2] = size >> 8; frame[3] = size & 255; }
    memset(frame + head, 0, 4);
    memcpy(frame + head + 4, text, size);
    put(one, frame, head + 4 + size);
}

static void say_text(struct socket_ *one, const char *text) { say(one, 1, text, strlen(text)); }

static void become_live(struct socket_ *one) {
    if (one->state == LIVE) return;
    one->state = LIVE;
    board[READY]++;
    open_next();
}

static void take_event(struct socket_ *one, uint64_t n) {
    if (n <= one->last) { repeated++; return; }
    missed += n - one->last - 1;
    one->last = n;
    board[ARRIVED]++;
}

static void take_events(struct socket_ *one, char *text, size_t size) {
    char *end = text + size, *at = text;
    while ((at = memmem(at, end - at, "\"n\":", 4))) {
        take_event(one, strtoull(at + 4, &at, 10));
        while (at < end && (*at == ' ' || *at == ',')) at++;
        if (end - at > 4 && !memcmp(at, "\"t\":", 4)) note_time(strtoull(at + 4, &at, 10));
    }
}

static int begins(const char *text, size_t size, const char *with) {
    return size >= strlen(with) && !memcmp(text, with, strlen(with));
}

/* The first text tells that the server is ready for us; Engine.IO's open packet asks for a Socket.IO connect before. */
static void take_text(struct socket_ *one, char *text, size_t size) {
    frames++;
    if (begins(text, size, "0{")) say_text(one, "40");
    else if (size == 1 && *text == '2') say_text(one, "3");
    else if (begins(text, size, "{\"type\":\"ping\"")) say_text(one, "{\"type\":\"pong\"}");
    else {
        become_live(one);
        take_events(one, text, size);
    }
}

/* How many bytes of the buffer the first frame takes; 0 when it is not all there yet. */
static size_t take_frame(struct socket_ *one, unsigned char *at, size_t size) {
    if (size < 2) return 0;
    uint64_t length = at[1] & 127;
    size_t head = length < 126 ? 2 : length == 126 ? 4 : 10;
    if (size < head) return 0;
    if (length >= 126) {
        length = 0;
        for (size_t i = 2; i < head; i++) length = length << 8 | at[i];
    }
    if (size < head + length) return 0;
    int opcode = at[0] & 15;
    if (opcode == 1) take_text(one, (char *)at + head, length);
    else if (opcode == 9) say(one, 10, (char *)at + head, length);
    else if (opcode == 8) drop(one);
    return head + length;
}

static void keep(struct socket_ *one, unsigned char *at, size_t size) {
    if (size > one->kept_room) one->kept = realloc(one->kept, one->kept_room = size);
    if (size) memcpy(one->kept, at, size);
    one->kept_bytes = size;
}

/* Returns what is behind the answer to the upgrade, or NULL when that is not there yet. */
static unsigned char *take_upgrade(struct socket_ *one, unsigned char *at, unsigned char *end) {
    unsigned char *head_end = memmem(at, end - at, "\r\n\r\n", 4);
    if (!head_end) return NULL;
    if (!begins((char *)at, end - at, "HTTP/1.1 101")) {
        fprintf(stderr, "%.*s\n", (int)(head_end - at), at);
        drop(one);
        return end;
    }
    one->state = OPEN;
    if (*one->hello) say_text(one, one->hello);
    return head_end + 4;
}

static void take_bytes(struct socket_ *one, unsigned char *at, size_t size) {
    unsigned char *end = at + size;
    if (one->state == UPGRADING) {
        unsigned char *rest = take_upgrade(one, at, end);
        if (!rest) { keep(one, at, size); return; }
        at = rest;
    }
    size_t used;
    while (one->state != GONE && at < end && (used = take_frame(one, at, end - at))) at += used;
    if (one->state != GONE) keep(one, at, end - at);
}

static void read_from(struct socket_ *one) {
    size_t kept = one->kept_bytes;
    if (kept) memcpy(incoming, one->kept, kept);
    ssize_t got = recv(one->fd, incoming + kept, READ_BYTES - kept, MSG_DONTWAIT);
    if (got > 0) {
        bytes_in += got;
        take_bytes(one, incoming, kept + got);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) drop(one);
}

static void upgrade(struct socket_ *one) {
    char request[1024];
    int size = snprintf(request, sizeof request,
        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        one->path, ntohs(server.sin_port));
    one->state = UPGRADING;
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = one };
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, one->fd, &event);
    put(one, request, size);
}

static void open_next(void) {
    if (opened == count) return;
    struct socket_ *one = &sockets[opened++];
    int on = 1;
    one->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(one->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connect(one->fd, (struct sockaddr *)&server, sizeof server);
    struct epoll_event event = { .events = EPOLLOUT, .data.ptr = one };
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, one->fd, &event);
}

static void reset(void) {
    frames = bytes_in = bytes_out = missed = repeated = late = timed = most_us = 0;
    memset(buckets, 0, sizeof buckets);
}

static void show(void) {
    struct timespec cpu;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    printf("{\"arrived\":%lu,\"frames\":%lu,\"bytes_in\":%lu,\"bytes_out\":%lu,\"missed\":%lu,\"repeated\":%lu,"
           "\"late\":%lu,\"p50_us\":%lu,\"p99_us\":%lu,\"most_us\":%lu,\"ready\":%lu,\"closed\":%lu,\"cpu\":%.3f}\n",
           board[ARRIVED], frames, bytes_in, bytes_out, missed, repeated, late, quantile(0.5), quantile(0.99), most_us,
           board[READY], board[CLOSED], cpu.tv_sec + cpu.tv_nsec / 1e9);
    fflush(stdout);
}

static void obey(void) {
    char commands[256];
    ssize_t size = read(0, commands, sizeof commands - 1);
    if (size <= 0) exit(0);
    commands[size] = 0;
    for (char *one = strtok(commands, "\n"); one; one = strtok(NULL, "\n")) {
        if (!strcmp(one, "reset")) reset();
        else if (!strcmp(one, "show")) show();
        else exit(0);
    }
}

static void read_targets(const char *path) {
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    while (file && (size = getline(&line, &room, file)) > 0) {
        line[strcspn(line, "\n")] = 0;
        sockets = realloc(sockets, (count + 1) * sizeof *sockets);
        struct socket_ *one = &sockets[count++];
        memset(one, 0, sizeof *one);
        one->path = strdup(strtok(line, "\t"));
        char *hello = strtok(NULL, "\t");
        one->hello = strdup(hello ? hello : "");
    }
    if (!count) exit(2);
}

static void attend(struct epoll_event *event) {
    struct socket_ *one = event->data.ptr;
    if (!one) obey();
    else if (one->state == GONE) return;
    else if (one->state == CONNECTING && (event->events & EPOLLOUT)) upgrade(one);
    else if (event->events & (EPOLLERR | EPOLLHUP | EPOLLIN)) read_from(one);
}

int main(int argc, char **argv) {
    if (argc != 4) { fprintf(stderr, "client PORT TARGETS BOARD\n"); return 2; }
    server = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(atoi(argv[1])) };
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    read_targets(argv[2]);
    int file = open(argv[3], O_RDWR);
    board = mmap(NULL, 128, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    incoming = malloc(READ_BYTES);
    epoll_fd = epoll_create1(0);
    if (board == MAP_FAILED || !incoming || epoll_fd < 0) { perror("client"); return 2; }
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL }, events[256];
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, 0, &event);
    for (int i = 0; i < OPEN_AT_ONCE; i++) open_next();
    for (;;) {
        int found = epoll_wait(epoll_fd, events, 256, -1);
        for (int i = 0; i < found; i++) attend(&events[i]);
    }
}
