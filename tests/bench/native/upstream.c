/* Mock Codex upstream: one thread, epoll. Build: cc -O2 -o upstream upstream.c
 *
 * usage: upstream [-p PORT] [-n EVENTS] [-d DELAY_US] [-s EVENT_BYTES] [-f FINAL_BYTES]
 *
 *   POST ...responses           an SSE turn: response.created, EVENTS x response.output_text.delta,
 *                               response.output_item.done, response.completed with usage; one send() per event.
 *                               A body that holds "stream":false gets one JSON response instead.
 *   GET + Upgrade: websocket    each text frame starts a turn of text frames with the same payloads
 *   GET ...models, ...usage     small JSON, as for everything else
 *   GET /__ctl?n=&d=&s=&f=      change the settings of turns that start later
 *   GET /__stats                counters
 *
 * Each delta carries @T<19 digits of CLOCK_MONOTONIC in ns>@, from which a client on this machine reads the latency.
 */
#include "common.h"

enum { RD_HEAD, RD_BODY, STREAM, WS };
typedef struct conn {
    int fd, state;
    buf_t in, out;
    /* request body */
    long long clen; /* bytes still expected; -1: chunked */
    int chunk_st;   /* 0 size line, 1 data, 2 crlf after data, 3 trailer */
    long long chunk_left;
    bool nostream, close_after, is_ws;
    char route[160];
    /* turn in progress */
    bool turn;
    int ev_total, ev_sent;
    uint64_t due, delay_ns, rid;
    int heap_i; /* -1: not in heap */
    /* ws frame in progress */
    bool ws_inframe;
    uint8_t ws_op;
    unsigned long long ws_left;
    bool ws_fin;
    int ws_pending_turns;
    bool want_write;
} conn_t;

static int g_n = 20, g_s = 220, g_f = 0, g_batch = 0;
static uint64_t g_d_us = 0;
static unsigned long long st_turns, st_ws_turns, st_events, st_body, st_conns, st_open, st_reqs;
static int ep;
static uint64_t seq_id; /* seeded with the clock: ids never repeat over runs */

static conn_t **heap;
static int heap_n, heap_cap;
static void hswap(int a, int b) {
    conn_t *t = heap[a];
    heap[a] = heap[b];
    heap[b] = t;
    heap[a]->heap_i = a;
    heap[b]->heap_i = b;
}
static void hup(int i) {
    while (i && heap[(i - 1) / 2]->due > heap[i]->due) {
        hswap(i, (i - 1) / 2);
        i = (i - 1) / 2;
    }
}
static void hdown(int i) {
    for (;;) {
        int l = 2 * i + 1, m = i;
        if (l < heap_n && heap[l]->due < heap[m]->due)
            m = l;
        if (l + 1 < heap_n && heap[l + 1]->due < heap[m]->due)
            m = l + 1;
        if (m == i)
            return;
        hswap(i, m);
        i = m;
    }
}
static void hpush(conn_t *c) {
    if (heap_n == heap_cap) {
        heap_cap = heap_cap ? heap_cap * 2 : 256;
        heap = realloc(heap, sizeof *heap * (size_t)heap_cap);
    }
    heap[heap_n] = c;
    c->heap_i = heap_n;
    hup(heap_n++);
}
static void hdel(conn_t *c) {
    int i = c->heap_i;
    if (i < 0)
        return;
    heap_n--;
    if (i != heap_n) {
        heap[i] = heap[heap_n];
        heap[i]->heap_i = i;
        hup(i);
        hdown(heap[i]->heap_i);
    }
    c->heap_i = -1;
}

static char PAD[65536];

/* What the real backend says about the account's quota with every answer. */
static char quota_headers[512];
static void write_quota_headers(void) {
    long t = (long)time(NULL);
    snprintf(quota_headers, sizeof quota_headers,
             "x-codex-plan-type: pro\r\n"
             "x-codex-primary-used-percent: 5\r\nx-codex-primary-window-minutes: 300\r\n"
             "x-codex-primary-reset-at: %ld\r\n"
             "x-codex-secondary-used-percent: 3\r\nx-codex-secondary-window-minutes: 10080\r\n"
             "x-codex-secondary-reset-at: %ld\r\n",
             t + 15000, t + 500000);
}

static void conn_close(conn_t *c) {
    if (c->fd < 0)
        return;
    hdel(c);
    close(c->fd);
    c->fd = -1;
    buf_free(&c->in);
    buf_free(&c->out);
    st_open--;
    free(c);
}
/* returns false if the connection was closed */
static bool flush_out(conn_t *c) {
    while (c->out.len) {
        ssize_t k = send(c->fd, c->out.p, c->out.len, MSG_NOSIGNAL);
        if (k > 0) {
            buf_eat(&c->out, (size_t)k);
            continue;
        }
        if (k < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            if (!c->want_write) {
                struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
                epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
                c->want_write = true;
            }
            return true;
        }
        if (k < 0 && errno == EINTR)
            continue;
        conn_close(c);
        return false;
    }
    if (c->want_write) {
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
        c->want_write = false;
    }
    return true;
}

/* one JSON payload of the turn: idx -1 created, 0..n-1 deltas, n item done, n+1 completed */
static int payload(conn_t *c, int idx, char *o, size_t cap, const char **evname) {
    int n = c->ev_total;
    if (idx < 0) {
        *evname = "response.created";
        return snprintf(o, cap,
                        "{\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"resp_bench%"
                        "016llx\",\"object\":\"response\",\"created_at\":1700000000,\"status\":\"in_progress\","
                        "\"model\":\"gpt-5.5\",\"output\":[],\"store\":false,\"usage\":null}}",
                        (unsigned long long)(c->rid = ++seq_id));
    }
    if (idx < n) {
        *evname = "response.output_text.delta";
        int pad = g_s - 235;
        if (pad < 0)
            pad = 0;
        if (pad > 60000)
            pad = 60000;
        return snprintf(
            o, cap,
            "{\"type\":\"response.output_text.delta\",\"content_index\":0,\"delta\":\"@T%019llu@%.*s\",\"item_id\":"
            "\"msg_bench000000000000000000000000\",\"logprobs\":[],\"output_index\":0,\"sequence_number\":%d}",
            (unsigned long long)now_ns(), pad, PAD, idx + 1);
    }
    if (idx == n) {
        *evname = "response.output_item.done";
        return snprintf(
            o, cap,
            "{\"type\":\"response.output_item.done\",\"item\":{\"id\":\"msg_bench000000000000000000000000\",\"type\":"
            "\"message\",\"status\":\"completed\",\"content\":[{\"type\":\"output_text\",\"annotations\":[],"
            "\"logprobs\":[],\"text\":\"ok\"}],\"role\":\"assistant\"},\"output_index\":0,\"sequence_number\":%d}",
            n + 1);
    }
    *evname = "response.completed";
    return snprintf(
        o, cap,
        "{\"type\":\"response.completed\",\"sequence_number\":%d,\"response\":{\"id\":\"resp_bench%016llx\",\"object\":"
        "\"response\",\"created_at\":1700000000,\"status\":\"completed\",\"model\":\"gpt-5.5\",\"output\":[{\"id\":"
        "\"msg_bench000000000000000000000000\",\"type\":\"message\",\"status\":\"completed\",\"content\":[{\"type\":"
        "\"output_text\",\"annotations\":[],\"text\":\"ok%.*s\"}],\"role\":\"assistant\"}],\"store\":false,\"usage\":{"
        "\"input_tokens\":1200,\"input_tokens_details\":{\"cached_tokens\":1024},\"output_tokens\":%d,\"output_tokens_"
        "details\":{\"reasoning_tokens\":0},\"total_tokens\":%d}}}",
        n + 2, (unsigned long long)c->rid, g_f > 60000 ? 60000 : g_f, PAD, n, n + 1200);
}

static void emit(conn_t *c, int idx) {
    static char tmp[131072];
    const char *ev;
    int l = payload(c, idx, tmp, sizeof tmp, &ev);
    st_events++;
    if (c->is_ws) {
        uint8_t h[10];
        int hl;
        h[0] = 0x81;
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
        buf_add(&c->out, h, (size_t)hl);
        buf_add(&c->out, tmp, (size_t)l);
        return;
    }
    char ln[96];
    int ll = snprintf(ln, sizeof ln, "event: %s\n", ev);
    buf_printf(&c->out, "%x\r\n", (unsigned)(ll + 6 + l + 2));
    buf_add(&c->out, ln, (size_t)ll);
    buf_add(&c->out, "data: ", 6);
    buf_add(&c->out, tmp, (size_t)l);
    buf_add(&c->out, "\n\n\r\n", 4);
}
static void start_turn(conn_t *c);
static bool process(conn_t *c);

static bool turn_done(conn_t *c) {
    c->turn = false;
    if (c->is_ws) {
        st_ws_turns++;
        if (c->ws_pending_turns) {
            c->ws_pending_turns--;
            start_turn(c);
        }
        return flush_out(c);
    }
    st_turns++;
    buf_add(&c->out, "0\r\n\r\n", 5);
    c->state = RD_HEAD;
    if (!flush_out(c))
        return false;
    if (c->close_after && !c->out.len) {
        conn_close(c);
        return false;
    }
    return process(c);
}
/* send what is due; false if closed */
static bool pump(conn_t *c, uint64_t now) {
    while (c->turn) {
        if (c->out.len > (1u << 20))
            return flush_out(c); /* slow reader: wait */
        if (c->delay_ns && c->ev_sent > 0 && c->ev_sent <= c->ev_total + 1 && c->due > now) {
            if (c->heap_i < 0)
                hpush(c);
            return flush_out(c);
        }
        emit(c, c->ev_sent - 1);
        c->ev_sent++;
        if (!g_batch || c->ev_sent > c->ev_total + 2) {
            if (!flush_out(c))
                return false;
        }
        if (c->ev_sent > c->ev_total + 2)
            return turn_done(c);
        if (c->delay_ns) {
            if (c->ev_sent == 1)
                c->due = now + (uint64_t)((double)rand() / RAND_MAX * (double)c->delay_ns) + 1;
            else if (c->ev_sent <= c->ev_total + 1)
                c->due += c->delay_ns;
        }
    }
    return true;
}
static void start_turn(conn_t *c) {
    c->turn = true;
    c->ev_sent = 0;
    c->ev_total = g_n;
    c->delay_ns = g_d_us * 1000;
    c->due = 0;
}

static void simple(conn_t *c, const char *status, const char *ctype, const char *body, size_t bl) {
    buf_printf(&c->out, "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s\r\n", status, ctype, bl,
               c->close_after ? "Connection: close\r\n" : "");
    buf_add(&c->out, body, bl);
}
static bool finish_request(conn_t *c) {
    st_reqs++;
    const char *p = c->route;
    if (strstr(p, "/responses")) {
        if (!c->nostream && !strstr(p, "/compact")) {
            buf_printf(&c->out,
                       "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
                       "x-request-id: req_bench\r\n%sTransfer-Encoding: chunked\r\n%s\r\n",
                       quota_headers, c->close_after ? "Connection: close\r\n" : "");
            c->state = STREAM;
            start_turn(c);
            return pump(c, now_ns());
        }
        static char b[4096];
        int l;
        l = snprintf(
            b, sizeof b,
            "{\"id\":\"resp_bench%016llx\",\"object\":\"response\",\"created_at\":1700000000,\"status\":\"completed\","
            "\"model\":\"gpt-5.5\",\"output\":[{\"id\":\"msg_b\",\"type\":\"message\",\"status\":\"completed\","
            "\"content\":[{\"type\":\"output_text\",\"annotations\":[],\"text\":\"@T%019llu@%.600s\"}],\"role\":"
            "\"assistant\"}],\"parallel_tool_calls\":true,\"tool_choice\":\"auto\",\"tools\":[],\"store\":false,"
            "\"usage\":{\"input_tokens\":1200,\"input_tokens_details\":{\"cached_tokens\":1024},\"output_tokens\":20,"
            "\"output_tokens_details\":{\"reasoning_tokens\":0},\"total_tokens\":1220}}",
            (unsigned long long)++seq_id, (unsigned long long)now_ns(), PAD);
        simple(c, "200 OK", "application/json", b, (size_t)l);
        st_turns++;
    } else if (strstr(p, "/__ctl")) {
        const char *q = strchr(p, '?');
        for (q = q ? q + 1 : ""; *q;) {
            if (!strncmp(q, "n=", 2))
                g_n = atoi(q + 2);
            else if (!strncmp(q, "d=", 2))
                g_d_us = strtoull(q + 2, NULL, 10);
            else if (!strncmp(q, "s=", 2))
                g_s = atoi(q + 2);
            else if (!strncmp(q, "f=", 2))
                g_f = atoi(q + 2);
            else if (!strncmp(q, "b=", 2))
                g_batch = atoi(q + 2);
            q = strchr(q, '&');
            if (!q)
                break;
            q++;
        }
        simple(c, "200 OK", "application/json", "{\"ok\":true}", 11);
    } else if (strstr(p, "/__stats")) {
        char b[512];
        int l = snprintf(b, sizeof b,
                         "{\"requests\":%llu,\"turns\":%llu,\"ws_turns\":%llu,\"events\":%llu,\"body_bytes\":%llu,"
                         "\"accepted\":%llu,\"open\":%llu}",
                         st_reqs, st_turns, st_ws_turns, st_events, st_body, st_conns, st_open);
        simple(c, "200 OK", "application/json", b, (size_t)l);
    } else if (strstr(p, "/models")) {
        static const char b[] =
            "{\"models\":[{\"slug\":\"gpt-5.5\",\"display_name\":\"gpt-5.5\",\"description\":\"bench\",\"default_"
            "reasoning_level\":\"medium\",\"supported_reasoning_levels\":[{\"effort\":\"low\",\"description\":\"l\"},{"
            "\"effort\":\"medium\",\"description\":\"m\"},{\"effort\":\"high\",\"description\":\"h\"}],\"shell_type\":"
            "\"shell_command\",\"visibility\":\"list\",\"supported_in_api\":true,\"priority\":0,\"base_instructions\":"
            "\"x\",\"supports_reasoning_summaries\":true,\"support_verbosity\":true,\"truncation_policy\":{\"mode\":"
            "\"bytes\",\"limit\":10000},\"supports_parallel_tool_calls\":true,\"context_window\":400000,\"experimental_"
            "supported_tools\":[],\"upgrade\":null,\"apply_patch_tool_type\":\"freeform\",\"default_verbosity\":"
            "\"medium\",\"minimal_client_version\":\"0.1.0\",\"input_modalities\":[\"text\"],\"prefer_websockets\":"
            "true,\"available_in_plans\":[\"plus\",\"pro\",\"team\"]}],\"object\":\"list\",\"data\":[{\"id\":\"gpt-5."
            "5\",\"object\":\"model\",\"owned_by\":\"openai\"}]}";
        simple(c, "200 OK", "application/json", b, sizeof b - 1);
    } else if (strstr(p, "/usage")) {
        char b[768];
        time_t t = time(NULL);
        int l = snprintf(b, sizeof b,
                         "{\"plan_type\":\"pro\",\"rate_limit\":{\"allowed\":true,\"limit_reached\":false,\"primary_"
                         "window\":{\"used_percent\":5,\"limit_window_seconds\":18000,\"reset_after_seconds\":15000,"
                         "\"reset_at\":%ld},\"secondary_window\":{\"used_percent\":3,\"limit_window_seconds\":604800,"
                         "\"reset_after_seconds\":500000,\"reset_at\":%ld}},\"code_review_rate_limit\":null,"
                         "\"credits\":{\"has_credits\":false,\"unlimited\":false,\"balance\":\"0\"}}",
                         (long)t + 15000, (long)t + 500000);
        simple(c, "200 OK", "application/json", b, (size_t)l);
    } else
        simple(c, "200 OK", "application/json", "{\"ok\":true}", 11);
    c->state = RD_HEAD;
    if (!flush_out(c))
        return false;
    if (c->close_after && !c->out.len) {
        conn_close(c);
        return false;
    }
    return true;
}
static void scan_body(conn_t *c, const char *p, size_t n) {
    st_body += n;
    if (memmem(p, n, "\"stream\":false", 14) || memmem(p, n, "\"stream\": false", 15))
        c->nostream = true;
}
static bool ws_process(conn_t *c) {
    for (;;) {
        if (!c->ws_inframe) {
            if (c->in.len < 2)
                return true;
            uint8_t *u = (uint8_t *)c->in.p;
            size_t hl = 2;
            unsigned long long l = u[1] & 0x7f;
            if (l == 126) {
                hl = 4;
                if (c->in.len < 4)
                    return true;
                l = (unsigned long long)u[2] << 8 | u[3];
            } else if (l == 127) {
                hl = 10;
                if (c->in.len < 10)
                    return true;
                l = 0;
                for (int i = 0; i < 8; i++)
                    l = l << 8 | u[2 + i];
            }
            if (u[1] & 0x80)
                hl += 4;
            if (c->in.len < hl)
                return true;
            c->ws_op = u[0] & 15;
            c->ws_fin = u[0] & 0x80;
            if (c->ws_op >= 8) { /* control: whole frame needed */
                if (c->in.len < hl + l)
                    return true;
                if (c->ws_op == 8) {
                    const char cl[] = {(char)0x88, 0};
                    buf_add(&c->out, cl, 2);
                    if (flush_out(c))
                        conn_close(c);
                    return false;
                }
                if (c->ws_op == 9) {
                    char pg[128];
                    size_t pl = l > 125 ? 125 : (size_t)l;
                    uint8_t *m = u + hl - 4;
                    pg[0] = (char)0x8A;
                    pg[1] = (char)pl;
                    for (size_t i = 0; i < pl; i++)
                        pg[2 + i] = (char)(u[hl + i] ^ ((u[1] & 0x80) ? m[i & 3] : 0));
                    buf_add(&c->out, pg, pl + 2);
                    if (!flush_out(c))
                        return false;
                }
                buf_eat(&c->in, hl + (size_t)l);
                continue;
            }
            c->ws_left = l;
            c->ws_inframe = true;
            buf_eat(&c->in, hl);
        }
        size_t take = c->in.len < c->ws_left ? c->in.len : (size_t)c->ws_left;
        st_body += take;
        c->ws_left -= take;
        buf_eat(&c->in, take);
        if (c->ws_left)
            return true;
        c->ws_inframe = false;
        if (c->ws_fin) {
            if (c->turn)
                c->ws_pending_turns++;
            else {
                start_turn(c);
                if (!pump(c, now_ns()))
                    return false;
            }
        }
    }
}
static bool process(conn_t *c) {
    for (;;) {
        if (c->state == WS)
            return ws_process(c);
        if (c->state == STREAM)
            return true;
        if (c->state == RD_HEAD) {
            char *e = c->in.len ? memmem(c->in.p, c->in.len, "\r\n\r\n", 4) : NULL;
            if (!e)
                return true;
            size_t hl = (size_t)(e - c->in.p) + 4;
            const char *v;
            int vl;
            char *sp = memchr(c->in.p, ' ', hl),
                 *sp2 = sp ? memchr(sp + 1, ' ', hl - (size_t)(sp + 1 - c->in.p)) : NULL;
            if (!sp2) {
                conn_close(c);
                return false;
            }
            size_t rl = (size_t)(sp2 - sp - 1);
            if (rl >= sizeof c->route)
                rl = sizeof c->route - 1;
            memcpy(c->route, sp + 1, rl);
            c->route[rl] = 0;
            c->nostream = false;
            vl = hdr(c->in.p, hl, "connection", &v);
            c->close_after = vl == 5 && !strncasecmp(v, "close", 5);
            if ((vl = hdr(c->in.p, hl, "sec-websocket-key", &v)) > 0) {
                uint8_t k[128];
                if (vl > 60)
                    vl = 60;
                memcpy(k, v, (size_t)vl);
                memcpy(k + vl, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36);
                uint8_t dg[20];
                char acc[32];
                sha1(k, (size_t)vl + 36, dg);
                b64(dg, 20, acc);
                buf_printf(&c->out,
                           "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: "
                           "Upgrade\r\nSec-WebSocket-Accept: %s\r\nx-codex-turn-state: bench\r\n\r\n",
                           acc);
                c->is_ws = true;
                c->state = WS;
                buf_eat(&c->in, hl);
                if (!flush_out(c))
                    return false;
                continue;
            }
            if (hdr(c->in.p, hl, "expect", &v) > 0) {
                buf_add(&c->out, "HTTP/1.1 100 Continue\r\n\r\n", 25);
                if (!flush_out(c))
                    return false;
            }
            vl = hdr(c->in.p, hl, "transfer-encoding", &v);
            if (vl > 0) {
                c->clen = -1;
                c->chunk_st = 0;
            } else {
                vl = hdr(c->in.p, hl, "content-length", &v);
                c->clen = vl > 0 ? atoll(v) : 0;
            }
            buf_eat(&c->in, hl);
            c->state = RD_BODY;
        }
        if (c->state == RD_BODY) {
            if (c->clen >= 0) {
                size_t take = (long long)c->in.len < c->clen ? c->in.len : (size_t)c->clen;
                if (take)
                    scan_body(c, c->in.p, take);
                buf_eat(&c->in, take);
                c->clen -= (long long)take;
                if (c->clen)
                    return true;
            } else {
                bool done = false;
                size_t pos = 0;
                while (!done) {
                    size_t av = c->in.len - pos;
                    if (c->chunk_st == 1) {
                        if (!av)
                            break;
                        size_t take = (long long)av < c->chunk_left ? av : (size_t)c->chunk_left;
                        scan_body(c, c->in.p + pos, take);
                        pos += take;
                        c->chunk_left -= (long long)take;
                        if (!c->chunk_left)
                            c->chunk_st = 2;
                    } else {
                        char *nl = av ? memchr(c->in.p + pos, '\n', av) : NULL;
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
                if (!done)
                    return true;
            }
            if (!finish_request(c))
                return false;
            if (c->state == STREAM)
                return true;
        }
    }
}

int main(int argc, char **argv) {
    int port = 9100, o;
    while ((o = getopt(argc, argv, "p:n:d:s:f:")) != -1) {
        if (o == 'p')
            port = atoi(optarg);
        else if (o == 'n')
            g_n = atoi(optarg);
        else if (o == 'd')
            g_d_us = strtoull(optarg, NULL, 10);
        else if (o == 's')
            g_s = atoi(optarg);
        else if (o == 'f')
            g_f = atoi(optarg);
        else
            return 2;
    }
    raise_nofile();
    signal(SIGPIPE, SIG_IGN);
    write_quota_headers();
    for (size_t i = 0; i < sizeof PAD - 1; i++)
        PAD[i] = "lorem ipsum dolor sit amet "[i % 27];
    struct timespec rt;
    clock_gettime(CLOCK_REALTIME, &rt);
    seq_id = (uint64_t)rt.tv_sec * 1000000000ull;
    int ls = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    setsockopt(ls, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(ls, (struct sockaddr *)&a, sizeof a) || listen(ls, 4096)) {
        perror("bind");
        return 1;
    }
    ep = epoll_create1(0);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(ep, EPOLL_CTL_ADD, ls, &e);
    fprintf(stderr, "upstream on 127.0.0.1:%d\n", port);
    static char rb[262144];
    struct epoll_event ev[512];
    for (;;) {
        int to = -1;
        if (heap_n) {
            uint64_t n = now_ns();
            to = heap[0]->due <= n ? 0 : (int)((heap[0]->due - n + 999999) / 1000000);
        }
        int k = epoll_wait(ep, ev, 512, to);
        for (int i = 0; i < k; i++) {
            conn_t *c = ev[i].data.ptr;
            if (!c) {
                for (int q = 0; q < 64; q++) {
                    int fd = accept4(ls, NULL, NULL, SOCK_NONBLOCK);
                    if (fd < 0)
                        break;
                    set_nodelay(fd);
                    c = calloc(1, sizeof *c);
                    c->fd = fd;
                    c->heap_i = -1;
                    c->state = RD_HEAD;
                    struct epoll_event ne = {.events = EPOLLIN, .data.ptr = c};
                    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ne);
                    st_conns++;
                    st_open++;
                }
                continue;
            }
            if (ev[i].events & EPOLLOUT) {
                if (!flush_out(c))
                    continue;
                if (c->turn && c->out.len < (1u << 19) && c->heap_i < 0 && !pump(c, now_ns()))
                    continue;
            }
            if (ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
                ssize_t n = recv(c->fd, rb, sizeof rb, 0);
                if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
                    conn_close(c);
                    continue;
                }
                if (n > 0) {
                    /* fast path for bodies: no copy */
                    if (c->state == RD_BODY && c->clen > 0 && !c->in.len && n < c->clen) {
                        scan_body(c, rb, (size_t)n);
                        c->clen -= n;
                        continue;
                    }
                    buf_add(&c->in, rb, (size_t)n);
                    process(c);
                }
            }
        }
        uint64_t now = now_ns();
        while (heap_n && heap[0]->due <= now) {
            conn_t *c = heap[0];
            hdel(c);
            pump(c, now);
        }
    }
}
