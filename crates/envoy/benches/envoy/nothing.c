/* A module that does nothing: what the ABI costs by itself. Another one says what it does in some of the hooks. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
typedef struct { const char* ptr; size_t length; } buffer;
#define HOOK(name) envoy_dynamic_module_on_##name
static int some;
const char* HOOK(program_init)(void) { return "v0.2.0"; }
#ifndef ANOTHER
const void* HOOK(http_filter_config_new)(void* c, buffer n, buffer t) { (void)c, (void)n, (void)t; return &some; }
#endif
void HOOK(http_filter_config_destroy)(const void* c) { (void)c; }
const void* HOOK(http_filter_per_route_config_new)(buffer n, buffer t) { (void)n, (void)t; return &some; }
void HOOK(http_filter_per_route_config_destroy)(const void* c) { (void)c; }
#ifndef ANOTHER
const void* HOOK(http_filter_new)(const void* c, void* s) { (void)c, (void)s; return &some; }
void HOOK(http_filter_destroy)(const void* f) { (void)f; }
uint32_t HOOK(http_filter_request_headers)(void* s, const void* f, bool e) { (void)s, (void)f, (void)e; return 0; }
#endif
uint32_t HOOK(http_filter_request_body)(void* s, const void* f, bool e) { (void)s, (void)f, (void)e; return 0; }
uint32_t HOOK(http_filter_request_trailers)(void* s, const void* f) { (void)s, (void)f; return 0; }
#ifndef ANOTHER
uint32_t HOOK(http_filter_response_headers)(void* s, const void* f, bool e) { (void)s, (void)f, (void)e; return 0; }
uint32_t HOOK(http_filter_response_body)(void* s, const void* f, bool e) { (void)s, (void)f, (void)e; return 0; }
#endif
uint32_t HOOK(http_filter_response_trailers)(void* s, const void* f) { (void)s, (void)f; return 0; }
void HOOK(http_filter_stream_complete)(void* s, const void* f) { (void)s, (void)f; }
void HOOK(http_filter_scheduled)(void* s, const void* f, uint64_t e) { (void)s, (void)f, (void)e; }
uint32_t HOOK(http_filter_local_reply)(void* s, const void* f, uint32_t c, buffer d, bool r) { (void)s, (void)f, (void)c, (void)d, (void)r; return 0; }
void HOOK(http_filter_downstream_above_write_buffer_high_watermark)(void* s, const void* f) { (void)s, (void)f; }
void HOOK(http_filter_downstream_below_write_buffer_low_watermark)(void* s, const void* f) { (void)s, (void)f; }
void HOOK(http_filter_http_callout_done)(void) {}
void HOOK(http_filter_http_stream_headers)(void) {}
void HOOK(http_filter_http_stream_data)(void) {}
void HOOK(http_filter_http_stream_trailers)(void) {}
void HOOK(http_filter_http_stream_complete)(void) {}
void HOOK(http_filter_http_stream_reset)(void) {}
