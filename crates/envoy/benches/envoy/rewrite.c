/* A module that decides nothing, and does with Envoy what the contract asks for of an error: it gives the request an id, holds
 * an error's head back until its body is read, and puts one head and one body in the place of both. What is left of its cost
 * is Envoy's. The configuration says how: `send`, `change` or `reply`. */
#define ANOTHER
#include "nothing.c"

#include <stdlib.h>

typedef struct { buffer key, value; } line;
#define CALL(name) envoy_dynamic_module_callback_http_##name
size_t CALL(get_headers_size)(void*, uint32_t);
bool CALL(get_headers)(void*, uint32_t, line*);
bool CALL(set_header)(void*, uint32_t, buffer, buffer);
bool CALL(add_header)(void*, uint32_t, buffer, buffer);
size_t CALL(get_body_chunks_size)(void*, uint32_t);
bool CALL(get_body_chunks)(void*, uint32_t, buffer*);
size_t CALL(get_body_size)(void*, uint32_t);
bool CALL(drain_body)(void*, uint32_t, size_t);
bool CALL(append_body)(void*, uint32_t, buffer);
void CALL(send_response)(void*, uint32_t, line*, size_t, buffer, buffer);
void CALL(send_response_headers)(void*, line*, size_t, bool);
void CALL(send_response_data)(void*, buffer, bool);

enum { REQUEST = 0, RESPONSE = 2, CONTINUE = 0, STOP = 1, DROP = 3 };

static char way;

/* Of a stream: its head is held back; its answer is out. */
typedef struct { bool held, done; } stream;

#define TEXT(text) { text, sizeof(text) - 1 }
static const buffer id = TEXT("x-request-id"), value = TEXT("req_01M7YK048HSM1N63YRWNAK45X0");
static const buffer body = TEXT("{\"error\":{\"code\":\"not_found\",\"message\":\"The resource was not found.\"},\"request_id\":\"req_01M7YK048HSM1N63YRWNAK45X0\"}");
static line lines[] = {
    { TEXT(":status"), TEXT("404") },
    { TEXT("content-type"), TEXT("application/json") },
    { TEXT("content-length"), TEXT("116") },
    { TEXT("cache-control"), TEXT("no-store") },
    { TEXT("x-content-type-options"), TEXT("nosniff") },
    { TEXT("vary"), TEXT("accept") },
    { TEXT("x-error-code"), TEXT("not_found") },
    { TEXT("x-request-id"), TEXT("req_01M7YK048HSM1N63YRWNAK45X0") },
};
enum { LINES = sizeof lines / sizeof *lines, KEPT = 3 };

const void* HOOK(http_filter_config_new)(void* c, buffer n, buffer text) {
    (void)c, (void)n;
    way = text.length ? *text.ptr : 's';
    return &some;
}

const void* HOOK(http_filter_new)(const void* c, void* s) {
    (void)c, (void)s;
    return calloc(1, sizeof(stream));
}

void HOOK(http_filter_destroy)(const void* f) { free((void*)f); }

static void read_head(void* s, uint32_t head, line* into) {
    if (CALL(get_headers_size)(s, head) <= 32) CALL(get_headers)(s, head, into);
}

uint32_t HOOK(http_filter_request_headers)(void* s, const void* f, bool e) {
    (void)f, (void)e;
    line had[32];
    read_head(s, REQUEST, had);
    CALL(add_header)(s, REQUEST, id, value);
    return CONTINUE;
}

uint32_t HOOK(http_filter_response_headers)(void* s, const void* f, bool e) {
    (void)e;
    stream* own = (stream*)f;
    if (own->done) return CONTINUE;
    line had[32] = { 0 };
    read_head(s, RESPONSE, had);
    own->held = had[0].value.length && *had[0].value.ptr == '4';
    if (own->held) return STOP;
    CALL(add_header)(s, RESPONSE, id, value);
    return CONTINUE;
}

uint32_t HOOK(http_filter_response_body)(void* s, const void* f, bool e) {
    stream* own = (stream*)f;
    if (!own->held || own->done) return CONTINUE;
    buffer had[8];
    if (CALL(get_body_chunks_size)(s, RESPONSE) <= 8) CALL(get_body_chunks)(s, RESPONSE, had);
    /* An answer before the end of the service's would cost the connection to it. */
    if (!e) return DROP;
    own->done = true;
    if (way == 'r') {
        buffer details = { 0 };
        /* What frames the body is Envoy's to say. */
        CALL(send_response)(s, 404, lines + KEPT, LINES - KEPT, body, details);
        return DROP;
    }
    if (way == 's') {
        CALL(send_response_headers)(s, lines, LINES, false);
        CALL(send_response_data)(s, body, true);
        return DROP;
    }
    for (size_t i = 1; i < KEPT; i++) CALL(set_header)(s, RESPONSE, lines[i].key, lines[i].value);
    for (size_t i = KEPT; i < LINES; i++) CALL(add_header)(s, RESPONSE, lines[i].key, lines[i].value);
    CALL(drain_body)(s, RESPONSE, CALL(get_body_size)(s, RESPONSE));
    CALL(append_body)(s, RESPONSE, body);
    return CONTINUE;
}
