/* Load generator for Codex gateways: one thread, epoll. Build: cc -O2 -o loadgen loadgen.c
 *
 * usage: loadgen -m sse|json|ws|wsidle -p PORT [-P PATH] [-k KEY] [-c CONNS] [-t SECONDS] [-r RAMP_S] [-w SETTLE_S]
 *                [-b BODY_BYTES] [-M MODEL] [-x] [-C] [-A] [-q TURNS_PER_CONN] [-H 'Name: value']
 *
 *   -x  a new TCP connection for every turn
 *   -C  the chat-completions shape of the body (messages instead of input)
 *   -A  the shape of Anthropic's messages
 *   -q  websocket: reconnect after that many turns
 *
 * Closed loop: each connection starts its next turn as soon as the last one has ended. Connections open evenly over
 * RAMP_S; SETTLE_S later "MARK begin" is printed, SECONDS later "MARK end", then one JSON line with the figures of the
 * marked window. wsidle opens CONNS websockets, runs one turn on each, then holds them idle between the marks.
 * Event latency is the time of receipt minus the @T<ns>@ stamp that the mock upstream puts into every delta.
 */
#include "common.h"

enum { M_SSE, M_JSON, M_WS, M_WSIDLE };
enum { CL_WAIT, CL_CONNECT, CL_SEND, CL_HEAD, CL_BODY, CL_WSREADY };
typedef struct {
    int fd, st, id;
    uint64_t t0, retry_at;
    char *req;
    size_t rlen, rpos; /* http request or ws handshake */
    char *frame;
    size_t flen; /* ws turn frame */
    buf_t in;
    bool got_first, chunked, until_close, done_seen, close_after, err;
    int status;
    long long left;
    int chunk_st;
    long long chunk_left;
    char carry[64];
    size_t carry_n;
    bool ws_up, ws_inframe;
    uint8_t ws_op, ws_fin;
    unsigned long long ws_left;
    bool sending_frame;
    long turns;
} conn_t;

/* log-linear histogram over ns: 32 sub-buckets per octave */
typedef struct {
    uint64_t n, max;
    double sum;
    uint32_t b[64 * 32];
} hist_t;
static int hbucket(uint64_t v) {
    if (v < 32)
        return (int)v;
    int e = 63 - __builtin_clzll(v);
    return (e - 4) * 32 + (int)((v >> (e - 5)) & 31);
}
static double hvalue(int i) {
    if (i < 32)
        return i;
    int e = i / 32 + 4;
    return ((double)(i % 32) + 32.5) * (double)(1ull << (e - 5));
}
static void hadd(hist_t *h, uint64_t v) {
    h->n++;
    h->sum += (double)v;
    if (v > h->max)
        h->max = v;
    h->b[hbucket(v)]++;
}
static double hq(hist_t *h, double q) {
    uint64_t want = (uint64_t)(q * (double)h->n), s = 0;
    for (int i = 0; i < 64 * 32; i++) {
        s += h->b[i];
        if (s > want) {
            double x = hvalue(i);
            return x > (double)h->max ? (double)h->max : x;
        }
    }
    return (double)h->max;
}

static hist_t H_ttfb, H_total, H_ev;
static int mode = M_SSE, port = 8000, nconn = 32, ep;
static double dur = 5, ramp = 0, settle = 0.5;
static size_t body_bytes = 2000;
static const char *path = "/backend-api/codex/responses", *key = "sk-bench", *model = "gpt-5.5";
static char extra[2048];
static bool fresh, chat, anthropic;
static long reconn_after;
static bool window;
static unsigned long long turns, errors, events, bytes_in, bytes_out, reconnects, connects, incomplete;
static char first_err[600];
static conn_t *conns;
static int opened, ready_ws;

static void note_err(const char *fmt, const char *d, size_t n) {
    errors++;
    if (!first_err[0]) {
        int o = snprintf(first_err, sizeof first_err, "%s: ", fmt);
        for (size_t i = 0; i < n && o < (int)sizeof first_err - 8; i++) {
            char ch = d[i];
            first_err[o++] = (ch < 32 || ch == '"' || ch == '\\' || ch > 126) ? ' ' : ch;
        }
        first_err[o] = 0;
    }
}

static void make_body(buf_t *b, int id, bool ws) {
    static const char words[] = "The quick brown fox edits src/module/handler.py and runs the tests again; ";
    buf_printf(b, "{%s\"model\":\"%s\",\"stream\":%s,%s,", ws ? "\"type\":\"response.create\"," : "",
               model, mode == M_JSON ? "false" : "true", anthropic ? "\"max_tokens\":8000" : "\"store\":false");
    if (anthropic)
        buf_printf(b, "\"system\":\"You are a coding agent.\",\"messages\":[");
    else if (chat)
        buf_printf(b, "\"messages\":[{\"role\":\"system\",\"content\":\"You are a coding agent.\"}");
    else
        buf_printf(b,
                   "\"instructions\":\"You are a coding "
                   "agent.\",\"prompt_cache_key\":\"0193b2f0-0000-7000-8000-%012d\",\"parallel_tool_calls\":true,"
                   "\"tool_choice\":\"auto\",\"tools\":[],\"reasoning\":{\"effort\":\"medium\",\"summary\":\"auto\"},"
                   "\"include\":[\"reasoning.encrypted_content\"],\"input\":[",
                   id);
    bool first = !chat || anthropic;
    int turn = 0;
    while (b->len + 64 < body_bytes || (first && !turn)) {
        size_t room = body_bytes - b->len > 40 ? body_bytes - b->len - 40 : 20;
        size_t n = room < 2000 ? room : 2000;
        if (!first)
            buf_add(b, ",", 1);
        first = false;
        if (chat)
            buf_printf(b, "{\"role\":\"user\",\"content\":\"");
        else
            buf_printf(b, "{\"type\":\"message\",\"role\":\"%s\",\"content\":[{\"type\":\"%s\",\"text\":\"",
                       turn % 2 ? "assistant" : "user", turn % 2 ? "output_text" : "input_text");
        for (size_t k = 0; k < n;) {
            size_t w = sizeof words - 1;
            if (w > n - k)
                w = n - k;
            buf_add(b, words, w);
            k += w;
            if (k + 2 < n && (k / (sizeof words - 1)) % 3 == 0) {
                buf_add(b, "\\n", 2);
                k += 2;
            }
        }
        if (chat)
            buf_printf(b, "\"}");
        else
            buf_printf(b, "\"}]}");
        turn++;
        if (chat && b->len + 80 > body_bytes)
            break;
    }
    buf_printf(b, "]}");
}
static void prepare(conn_t *c) {
    buf_t body = {0}, r = {0};
    bool ws = mode == M_WS || mode == M_WSIDLE;
    make_body(&body, c->id, ws);
    if (ws) {
        buf_printf(
            &r,
            "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: "
            "Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: "
            "Bearer %s\r\nOpenAI-Beta: responses_websockets=2026-02-06\r\nOriginator: codex_cli_rs\r\nUser-Agent: "
            "codex_cli_rs/0.120.0 (bench)\r\nsession_id: 0193b2f0-0000-7000-8000-%012d\r\n%s\r\n",
            path, port, key, c->id, extra);
        buf_t f = {0};
        uint8_t h[14] = {0x81};
        int hl;
        size_t l = body.len;
        if (l < 126) {
            h[1] = (uint8_t)l;
            hl = 2;
        } else if (l < 65536) {
            h[1] = 126;
            h[2] = (uint8_t)(l >> 8);
            h[3] = (uint8_t)l;
            hl = 4;
        } else {
            h[1] = 127;
            for (int i = 0; i < 8; i++)
                h[2 + i] = (uint8_t)((unsigned long long)l >> (56 - 8 * i));
            hl = 10;
        }
        h[1] |= 0x80;
        uint8_t m[4] = {0x37, 0xfa, 0x21, (uint8_t)c->id};
        memcpy(h + hl, m, 4);
        hl += 4;
        for (size_t i = 0; i < l; i++)
            body.p[i] ^= (char)m[i & 3];
        buf_add(&f, h, (size_t)hl);
        buf_add(&f, body.p, l);
        c->frame = f.p;
        c->flen = f.len;
    } else {
        buf_printf(&r,
                   "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\nContent-Type: "
                   "application/json\r\nAccept: %s\r\nOriginator: codex_cli_rs\r\nUser-Agent: codex_cli_rs/0.120.0 "
                   "(bench)\r\nsession_id: 0193b2f0-0000-7000-8000-%012d\r\n%s%sContent-Length: %zu\r\n\r\n",
                   path, port, key, mode == M_JSON ? "application/json" : "text/event-stream", c->id, extra,
                   fresh ? "Connection: close\r\n" : "", body.len);
        buf_add(&r, body.p, body.len);
    }
    buf_free(&body);
    c->req = r.p;
    c->rlen = r.len;
}

static void arm(conn_t *c, uint32_t evs) {
    struct epoll_event e = {.events = evs, .data.ptr = c};
    epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
}
static void drop(conn_t *c, uint64_t delay) {
    if (c->fd >= 0) {
        close(c->fd);
        c->fd = -1;
    }
    if (c->ws_up) {
        c->ws_up = false;
        if (mode == M_WSIDLE)
            ready_ws--;
    }
    c->st = CL_WAIT;
    c->retry_at = now_ns() + delay;
    c->in.len = 0;
}
static void reset_turn(conn_t *c) {
    c->got_first = c->done_seen = c->chunked = c->until_close = c->close_after = false;
    c->status = 0;
    c->left = -1;
    c->chunk_st = 0;
    c->carry_n = 0;
    c->t0 = now_ns();
}
static void do_send(conn_t *c);
static void begin_http(conn_t *c) {
    reset_turn(c);
    c->rpos = 0;
    c->st = CL_SEND;
    do_send(c);
}
static void begin_ws_turn(conn_t *c) {
    reset_turn(c);
    c->rpos = 0;
    c->sending_frame = true;
    c->st = CL_SEND;
    do_send(c);
}
static void open_conn(conn_t *c) {
    if (!c->req)
        prepare(c);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->fd < 0) {
        perror("socket");
        exit(1);
    }
    set_nodelay(c->fd);
    /* spread local addresses over 127.0.0.0/8: many idle sockets, no ephemeral port shortage */
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int r = connect(c->fd, (struct sockaddr *)&a, sizeof a);
    if (r && errno != EINPROGRESS) {
        note_err("connect", "", 0);
        drop(c, 50000000);
        return;
    }
    connects++;
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
    epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e);
    c->st = CL_CONNECT;
    c->in.len = 0;
    c->ws_up = c->ws_inframe = c->sending_frame = false;
    c->turns = 0;
}
static void do_send(conn_t *c) {
    const char *p = c->sending_frame ? c->frame : c->req;
    size_t n = c->sending_frame ? c->flen : c->rlen;
    while (c->rpos < n) {
        ssize_t k = send(c->fd, p + c->rpos, n - c->rpos, MSG_NOSIGNAL);
        if (k > 0) {
            c->rpos += (size_t)k;
            if (window)
                bytes_out += (size_t)k;
            continue;
        }
        if (k < 0 && errno == EAGAIN) {
            arm(c, EPOLLIN | EPOLLOUT);
            return;
        }
        if (window || mode == M_WSIDLE)
            reconnects++;
        drop(c, 10000000);
        return;
    }
    arm(c, EPOLLIN);
    c->st = c->sending_frame ? CL_WSREADY : CL_HEAD;
}
static void turn_end(conn_t *c, uint64_t now) {
    if (window) {
        turns++;
        hadd(&H_total, now - c->t0);
        if (mode != M_JSON && !c->done_seen) {
            incomplete++;
        }
    }
    c->turns++;
}
static const char *done_mark = "response.completed";
static void scan(conn_t *c, const char *p, size_t n, uint64_t now) {
    static char tmp[600000];
    if (!c->got_first) {
        c->got_first = true;
        if (window)
            hadd(&H_ttfb, now - c->t0);
    }
    size_t tot;
    const char *s;
    if (c->carry_n) {
        memcpy(tmp, c->carry, c->carry_n);
        memcpy(tmp + c->carry_n, p, n);
        s = tmp;
        tot = c->carry_n + n;
    } else {
        s = p;
        tot = n;
    }
    size_t pos = 0, keep_from = 0;
    while (tot - pos >= 22) {
        const char *q = memmem(s + pos, tot - pos, "@T", 2);
        if (!q)
            break;
        size_t o = (size_t)(q - s);
        if (tot - o < 22)
            break;
        if (s[o + 21] == '@') {
            uint64_t v = 0;
            bool ok = true;
            for (int i = 2; i < 21; i++) {
                if (s[o + i] < '0' || s[o + i] > '9') {
                    ok = false;
                    break;
                }
                v = v * 10 + (uint64_t)(s[o + i] - '0');
            }
            if (ok) {
                if (window) {
                    events++;
                    hadd(&H_ev, now > v ? now - v : 0);
                }
                pos = o + 22;
                keep_from = pos;
                continue;
            }
        }
        pos = o + 2;
    }
    if (memmem(s, tot, done_mark, strlen(done_mark)))
        c->done_seen = true;
    size_t keep = tot - keep_from;
    if (keep > 31)
        keep = 31;
    memmove(c->carry, s + tot - keep, keep);
    c->carry_n = keep;
}
static void http_done(conn_t *c, uint64_t now) {
    if (c->status != 200) {
        drop(c, 20000000);
        return;
    }
    turn_end(c, now);
    if (fresh || c->close_after) {
        drop(c, 0);
        return;
    }
    begin_http(c);
}
static bool ws_data(conn_t *c, uint64_t now) { /* false: connection gone */
    size_t pos = 0;
    while (pos < c->in.len) {
        uint8_t *u = (uint8_t *)c->in.p + pos;
        size_t av = c->in.len - pos;
        if (!c->ws_inframe) {
            if (av < 2)
                break;
            size_t hl = 2;
            unsigned long long l = u[1] & 0x7f;
            if (l == 126) {
                hl = 4;
                if (av < 4)
                    break;
                l = (unsigned long long)u[2] << 8 | u[3];
            } else if (l == 127) {
                hl = 10;
                if (av < 10)
                    break;
                l = 0;
                for (int i = 0; i < 8; i++)
                    l = l << 8 | u[2 + i];
            }
            if (u[0] & 0x40) {
                note_err("compressed frame without offer", "", 0);
                drop(c, 1000000000);
                return false;
            }
            c->ws_op = u[0] & 15;
            c->ws_fin = u[0] >> 7;
            if (c->ws_op >= 8) {
                if (av < hl + l)
                    break;
                if (c->ws_op == 8) {
                    char why[140];
                    size_t wl = l > 2 ? (l - 2 > 125 ? 125 : (size_t)l - 2) : 0;
                    memcpy(why, u + hl + 2, wl);
                    if (window || mode == M_WSIDLE)
                        note_err("ws close", why, wl);
                    drop(c, 50000000);
                    return false;
                }
                if (c->ws_op == 9) {
                    char pg[140];
                    pg[0] = (char)0x8A;
                    pg[1] = (char)(0x80 | l);
                    memset(pg + 2, 0, 4);
                    memcpy(pg + 6, u + hl, (size_t)l);
                    if (send(c->fd, pg, 6 + (size_t)l, MSG_NOSIGNAL) < 0) {
                        drop(c, 0);
                        return false;
                    }
                }
                pos += hl + (size_t)l;
                continue;
            }
            c->ws_left = l;
            c->ws_inframe = true;
            pos += hl;
            continue;
        }
        size_t take = av < c->ws_left ? av : (size_t)c->ws_left;
        scan(c, (char *)u, take, now);
        pos += take;
        c->ws_left -= take;
        if (!c->ws_left) {
            c->ws_inframe = false;
            if (c->ws_fin && c->done_seen) {
                turn_end(c, now);
                if (mode == M_WSIDLE) {
                    ready_ws++;
                    c->done_seen = false;
                    c->carry_n = 0;
                } else if (reconn_after && c->turns >= reconn_after) {
                    drop(c, 0);
                    return false;
                } else {
                    buf_eat(&c->in, pos);
                    pos = 0;
                    begin_ws_turn(c);
                    if (c->fd < 0)
                        return false;
                }
            }
        }
    }
    buf_eat(&c->in, pos);
    return true;
}
static void on_data(conn_t *c, uint64_t now) {
    if (c->st == CL_HEAD) {
        char *e = c->in.len ? memmem(c->in.p, c->in.len, "\r\n\r\n", 4) : NULL;
        if (!e)
            return;
        size_t hl = (size_t)(e - c->in.p) + 4;
        c->status = atoi(c->in.p + 9);
        const char *v;
        int vl;
        if (c->status == 100) {
            buf_eat(&c->in, hl);
            on_data(c, now);
            return;
        }
        if (mode >= M_WS) {
            if (c->status != 101) {
                note_err("ws handshake", c->in.p, c->in.len < 400 ? c->in.len : 400);
                drop(c, 100000000);
                return;
            }
            buf_eat(&c->in, hl);
            c->ws_up = true;
            begin_ws_turn(c);
            return;
        }
        vl = hdr(c->in.p, hl, "transfer-encoding", &v);
        c->chunked = vl > 0 && !strncasecmp(v, "chunked", 7);
        vl = hdr(c->in.p, hl, "content-length", &v);
        c->left = vl > 0 ? atoll(v) : -1;
        vl = hdr(c->in.p, hl, "connection", &v);
        c->close_after = vl == 5 && !strncasecmp(v, "close", 5);
        if (!c->chunked && c->left < 0)
            c->until_close = true;
        if (c->status != 200)
            note_err("http status", c->in.p, c->in.len < 500 ? c->in.len : 500);
        buf_eat(&c->in, hl);
        c->st = CL_BODY;
        c->chunk_st = 0;
    }
    if (c->st == CL_WSREADY || (c->ws_up && c->st == CL_SEND)) {
        ws_data(c, now);
        return;
    }
    if (c->st != CL_BODY)
        return;
    if (c->chunked) {
        size_t pos = 0;
        bool done = false;
        while (!done) {
            size_t av = c->in.len - pos;
            if (!av)
                break;
            if (c->chunk_st == 1) {
                size_t take = (long long)av < c->chunk_left ? av : (size_t)c->chunk_left;
                scan(c, c->in.p + pos, take, now);
                pos += take;
                c->chunk_left -= (long long)take;
                if (!c->chunk_left)
                    c->chunk_st = 2;
            } else {
                char *nl = memchr(c->in.p + pos, '\n', av);
                if (!nl)
                    break;
                size_t ll = (size_t)(nl - (c->in.p + pos)) + 1;
                if (c->chunk_st == 0) {
                    c->chunk_left = strtoll(c->in.p + pos, NULL, 16);
                    c->chunk_st = c->chunk_left ? 1 : 3;
                } else if (c->chunk_st == 2)
                    c->chunk_st = 0;
                else if (ll <= 2)
                    done = true;
                pos += ll;
            }
        }
        buf_eat(&c->in, pos);
        if (done)
            http_done(c, now);
    } else {
        size_t take = c->in.len;
        if (c->left >= 0 && (long long)take > c->left)
            take = (size_t)c->left;
        if (take)
            scan(c, c->in.p, take, now);
        buf_eat(&c->in, take);
        if (c->left >= 0) {
            c->left -= (long long)take;
            if (!c->left)
                http_done(c, now);
        }
    }
}
static void pr_hist(const char *name, hist_t *h) {
    printf("\"%s\":{\"n\":%llu,\"mean\":%.1f,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f},", name,
           (unsigned long long)h->n, h->n ? h->sum / (double)h->n / 1e3 : 0, hq(h, .5) / 1e3, hq(h, .9) / 1e3,
           hq(h, .99) / 1e3, hq(h, .999) / 1e3, (double)h->max / 1e3);
}
int main(int argc, char **argv) {
    int o;
    while ((o = getopt(argc, argv, "m:p:P:k:c:t:r:w:b:M:xCAq:H:")) != -1)
        switch (o) {
        case 'm':
            mode = !strcmp(optarg, "sse")    ? M_SSE
                   : !strcmp(optarg, "json") ? M_JSON
                   : !strcmp(optarg, "ws")   ? M_WS
                                             : M_WSIDLE;
            break;
        case 'p':
            port = atoi(optarg);
            break;
        case 'P':
            path = optarg;
            break;
        case 'k':
            key = optarg;
            break;
        case 'c':
            nconn = atoi(optarg);
            break;
        case 't':
            dur = atof(optarg);
            break;
        case 'r':
            ramp = atof(optarg);
            break;
        case 'w':
            settle = atof(optarg);
            break;
        case 'b':
            body_bytes = strtoull(optarg, NULL, 10);
            break;
        case 'M':
            model = optarg;
            break;
        case 'x':
            fresh = true;
            break;
        case 'C':
            chat = true;
            done_mark = "[DONE]";
            break;
        case 'A':
            chat = anthropic = true;
            done_mark = "message_stop";
            break;
        case 'q':
            reconn_after = atol(optarg);
            break;
        case 'H':
            snprintf(extra + strlen(extra), sizeof extra - strlen(extra), "%s\r\n", optarg);
            break;
        default:
            return 2;
        }
    raise_nofile();
    signal(SIGPIPE, SIG_IGN);
    ep = epoll_create1(0);
    conns = calloc((size_t)nconn, sizeof *conns);
    for (int i = 0; i < nconn; i++) {
        conns[i].fd = -1;
        conns[i].id = i;
    }
    static char rb[524288];
    struct epoll_event ev[512];
    uint64_t start = now_ns(), t_begin = start + (uint64_t)((ramp + settle) * 1e9),
             t_end = t_begin + (uint64_t)(dur * 1e9), last_retry = 0;
    bool begun = false;
    uint64_t w0 = 0, w1 = 0;
    for (;;) {
        uint64_t now = now_ns();
        while (opened < nconn && (ramp <= 0 || (double)(now - start) >= ramp * 1e9 * opened / nconn))
            open_conn(&conns[opened++]);
        if (mode == M_WSIDLE && !begun) { /* wait until all are up and have finished their turn */
            if (ready_ws < nconn && now < start + (uint64_t)((ramp + settle + 60) * 1e9)) {
                t_begin = now + (uint64_t)(settle * 1e9);
                t_end = t_begin + (uint64_t)(dur * 1e9);
            }
        }
        if (!begun && now >= t_begin) {
            begun = window = true;
            printf("MARK begin\n");
            fflush(stdout);
            w0 = now_ns();
        }
        if (begun && now >= t_end) {
            window = false;
            w1 = now_ns();
            printf("MARK end\n");
            fflush(stdout);
            break;
        }
        if (now - last_retry > 2000000) {
            last_retry = now;
            for (int i = 0; i < opened; i++)
                if (conns[i].st == CL_WAIT && conns[i].fd < 0 && now >= conns[i].retry_at)
                    open_conn(&conns[i]);
        }
        int k = epoll_wait(ep, ev, 512, opened < nconn ? 1 : 5);
        for (int i = 0; i < k; i++) {
            conn_t *c = ev[i].data.ptr;
            if (c->fd < 0)
                continue;
            if (c->st == CL_CONNECT && (ev[i].events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) {
                int er = 0;
                socklen_t sl = sizeof er;
                getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &er, &sl);
                if (er) {
                    note_err("connect", strerror(er), strlen(strerror(er)));
                    drop(c, 100000000);
                    continue;
                }
                begin_http(c); /* for ws this sends the handshake */
                continue;
            }
            if (ev[i].events & EPOLLOUT && c->st == CL_SEND) {
                do_send(c);
                if (c->fd < 0)
                    continue;
            }
            if (ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
                ssize_t n = recv(c->fd, rb, sizeof rb, 0);
                uint64_t t = now_ns();
                if (n > 0) {
                    if (window)
                        bytes_in += (size_t)n;
                    buf_add(&c->in, rb, (size_t)n);
                    on_data(c, t);
                } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
                    if (c->st == CL_BODY && c->until_close) {
                        turn_end(c, t);
                        drop(c, 0);
                    } else {
                        bool midturn = c->st == CL_BODY || (c->st == CL_WSREADY && mode == M_WS) ||
                                       (c->st == CL_HEAD && c->turns == 0);
                        if (midturn && (window || !begun))
                            note_err("closed early", "", 0);
                        else if (window)
                            reconnects++;
                        if (mode == M_WSIDLE)
                            note_err("idle closed", "", 0);
                        drop(c, midturn ? 20000000 : 0);
                    }
                }
            }
        }
    }
    double el = (double)(w1 - w0) / 1e9;
    struct rusage ru;
    getrusage(RUSAGE_SELF, &ru);
    int up = 0;
    for (int i = 0; i < nconn; i++)
        up += conns[i].fd >= 0;
    printf(
        "{\"elapsed\":%.4f,\"turns\":%llu,\"turns_per_s\":%.2f,\"events\":%llu,\"events_per_s\":%.1f,\"errors\":%llu,"
        "\"incomplete\":%llu,\"reconnects\":%llu,\"connects\":%llu,\"up\":%d,\"bytes_in\":%llu,\"bytes_out\":%llu,",
        el, turns, (double)turns / el, events, (double)events / el, errors, incomplete, reconnects, connects, up,
        bytes_in, bytes_out);
    pr_hist("ttfb_us", &H_ttfb);
    pr_hist("total_us", &H_total);
    pr_hist("event_us", &H_ev);
    printf("\"loadgen_cpu_s\":%.3f,\"first_error\":\"%s\"}\n",
           (double)ru.ru_utime.tv_sec + (double)ru.ru_utime.tv_usec / 1e6 + (double)ru.ru_stime.tv_sec +
               (double)ru.ru_stime.tv_usec / 1e6,
           first_err);
    return 0;
}
