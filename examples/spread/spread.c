// Requests spread evenly over the best models.
//
// The side of the contract in wit/policy.wit, in the form that `wit-bindgen c` gives
// it (policy.h): it keeps what the host loaded, and hands each call on. What came in
// is freed here, what goes out is freed by the generated code. Read next: order.c (who
// is tried, in which order), settings.c (what an operator may set).

#include <stdlib.h>
#include <string.h>

#include "order.h"
#include "policy.h"
#include "settings.h"

// Long names, said once.
typedef ollama_router_policy_types_model_t model;
typedef ollama_router_policy_types_drop_t drop;
typedef ollama_router_policy_types_pick_t pick;
#define HAS(flags, flag) (((flags) & (flag)) != 0)
#define CHAT OLLAMA_ROUTER_POLICY_TYPES_TRAITS_CHAT
#define FREE OLLAMA_ROUTER_POLICY_TYPES_TRAITS_FREE
#define ROUTER OLLAMA_ROUTER_POLICY_TYPES_TRAITS_ROUTER
#define TOOLS OLLAMA_ROUTER_POLICY_TYPES_CAPABILITIES_TOOLS
#define EMBEDDINGS OLLAMA_ROUTER_POLICY_TYPES_CAPABILITIES_EMBEDDINGS
#define COOLING OLLAMA_ROUTER_POLICY_TYPES_STANDING_COOLING

// What a decision needs of a model.
typedef struct {
    ollama_router_policy_types_capabilities_t capabilities;
    bool is_free;
} known;

static const struct {
    uint16_t code;
    const char *text;
} REASONS[] = {
    {NOT_CHAT, "neither a chat nor an embedding model"},
    {NOT_FREE, "not free"},
    {NO_TOOLS, "calls no tools, and `tool_use_only` is set"},
    {FILTERED, "no pattern of the filter is part of its id or name"},
    {REQUESTED, "requested"},
    {SPREAD, "its turn, of those with the largest context"},
    {AFTER_THEM, "after those that take turns"},
    {LAST_RESORT, "cooling down, the last resort"},
    {BEYOND_LIMIT, "enough others are tried before it"},
};
#define REASON_COUNT (sizeof REASONS / sizeof *REASONS)

// What the host has loaded so far. Memory is a cache: an instance may be replaced at
// any time.
static settings loaded;
static bool is_configured;
static known *models;
static size_t model_count;

// Memory for a list. Without it the call ends, and the router goes by
// `policy.on_error`.
static void *list(size_t count, size_t size) {
    void *memory = calloc(count ? count : 1, size);
    if (!memory) abort();
    return memory;
}

void exports_ollama_router_policy_lifecycle_describe(exports_ollama_router_policy_lifecycle_descriptor_t *ret) {
    policy_string_dup(&ret->name, "spread");
    policy_string_dup(&ret->version, "0.1.0");
    policy_string_dup(&ret->summary, "The requested model, then those with the largest context by turns.");
    policy_string_dup(&ret->settings_schema, SETTINGS_SCHEMA);
    ret->reasons.len = REASON_COUNT;
    ret->reasons.ptr = list(REASON_COUNT, sizeof *ret->reasons.ptr);
    for (size_t place = 0; place < REASON_COUNT; place++) {
        ret->reasons.ptr[place].code = REASONS[place].code;
        policy_string_dup(&ret->reasons.ptr[place].text, REASONS[place].text);
    }
}

bool exports_ollama_router_policy_lifecycle_configure(
    policy_string_t *settings_json, exports_ollama_router_policy_lifecycle_list_setting_error_t *err) {
    wrong_settings wrong;
    settings read;
    bool is_good = settings_parse((const char *)settings_json->ptr, settings_json->len, &read, &wrong);
    policy_string_free(settings_json);
    if (is_good) {
        settings_free(&loaded);
        loaded = read;
        is_configured = true;
        return true;
    }
    settings_free(&read);
    err->len = wrong.count;
    err->ptr = list(wrong.count, sizeof *err->ptr);
    for (size_t place = 0; place < wrong.count; place++) {
        policy_string_dup(&err->ptr[place].pointer, wrong.all[place].pointer);
        policy_string_dup(&err->ptr[place].message, wrong.all[place].message);
        free(wrong.all[place].pointer);
    }
    return false;
}

// Says why a model is hidden, or 0 if it is not.
static uint16_t why_hidden(const model *one) {
    if (!HAS(one->traits, CHAT) && !HAS(one->capabilities, EMBEDDINGS)) return NOT_CHAT;
    if (loaded.free_mode && !HAS(one->traits, FREE)) return NOT_FREE;
    if (loaded.tool_use_only && !HAS(one->capabilities, TOOLS)) return NO_TOOLS;
    bool passes =
        settings_pass(&loaded, (const char *)one->id.ptr, one->id.len, (const char *)one->name.ptr, one->name.len);
    return passes ? 0 : FILTERED;
}

// Tells whether the first of two comes before the other in the view: the largest
// context first, routers after the models, what embeds at the end.
static bool is_before(const model *one, const model *other) {
    int class[2] = {0, 0};
    const model *both[2] = {one, other};
    for (int place = 0; place < 2; place++) {
        if (HAS(both[place]->traits, ROUTER)) class[place] = 1;
        if (HAS(both[place]->capabilities, EMBEDDINGS)) class[place] = 2;
    }
    return class[0] != class[1] ? class[0] < class[1] : one->context_tokens > other->context_tokens;
}

bool exports_ollama_router_policy_lifecycle_load_catalog(
    uint64_t epoch, exports_ollama_router_policy_lifecycle_list_model_t *catalog,
    exports_ollama_router_policy_lifecycle_view_t *ret, policy_string_t *err) {
    (void)epoch;
    bool is_ready = is_configured;
    if (is_ready) {
        free(models);
        model_count = catalog->len;
        models = list(catalog->len, sizeof *models);
        ret->visible.ptr = list(catalog->len, sizeof *ret->visible.ptr);
        ret->hidden.ptr = list(catalog->len, sizeof *ret->hidden.ptr);
        ret->visible.len = ret->hidden.len = 0;
        for (uint32_t number = 0; number < catalog->len; number++) {
            const model *one = &catalog->ptr[number];
            models[number] = (known){one->capabilities, HAS(one->traits, FREE)};
            uint16_t why = why_hidden(one);
            if (why) {
                ret->hidden.ptr[ret->hidden.len++] = (drop){number, why};
                continue;
            }
            size_t to = ret->visible.len++;
            for (; to > 0 && is_before(one, &catalog->ptr[ret->visible.ptr[to - 1]]); to--) {
                ret->visible.ptr[to] = ret->visible.ptr[to - 1];
            }
            ret->visible.ptr[to] = number;
        }
        // The generated code frees lists that are not empty.
        if (!ret->visible.len) free(ret->visible.ptr);
        if (!ret->hidden.len) free(ret->hidden.ptr);
    } else {
        policy_string_dup(err, "load a catalogue without settings: call `configure` first");
    }
    exports_ollama_router_policy_lifecycle_list_model_free(catalog);
    return is_ready;
}

// Puts together what is known of each candidate for this request.
static candidate *gather(
    const exports_ollama_router_policy_selector_request_t *request, const policy_list_u32_t *candidates,
    const exports_ollama_router_policy_selector_list_fact_t *facts) {
    candidate *all = list(candidates->len, sizeof *all);
    for (size_t place = 0; place < candidates->len; place++) {
        uint32_t number = candidates->ptr[place];
        if (number >= model_count) abort();
        bool is_named = request->target.tag == OLLAMA_ROUTER_POLICY_TYPES_TARGET_MODEL;
        all[place] = (candidate){
            .model = number,
            .is_free = models[number].is_free,
            .is_requested = is_named && request->target.val.model == number,
            .grants = (request->wishes & ~models[number].capabilities) == 0,
        };
        for (size_t fact = 0; fact < facts->len; fact++) {
            if (facts->ptr[fact].model != number) continue;
            all[place].rests = HAS(facts->ptr[fact].standing, COOLING);
            all[place].cooldown_ms = facts->ptr[fact].cooldown_ms;
        }
    }
    return all;
}

static void route(
    const candidate *all, size_t count, size_t picked, bool is_explained, ollama_router_policy_types_route_t *route) {
    size_t dropped = is_explained ? count - picked : 0;
    route->order.len = picked;
    route->order.ptr = list(picked, sizeof *route->order.ptr);
    for (size_t place = 0; place < picked; place++) {
        route->order.ptr[place] = (pick){all[place].model, all[place].why, 1.0f / (float)(1 + place)};
    }
    route->dropped.len = dropped;
    route->dropped.ptr = dropped ? list(dropped, sizeof *route->dropped.ptr) : NULL;
    for (size_t place = 0; place < dropped; place++) {
        route->dropped.ptr[place] = (drop){all[picked + place].model, all[picked + place].why};
    }
}

bool exports_ollama_router_policy_selector_select(
    exports_ollama_router_policy_selector_request_t *request, policy_list_u32_t *candidates,
    exports_ollama_router_policy_selector_list_fact_t *facts, exports_ollama_router_policy_selector_decision_t *ret,
    policy_string_t *err) {
    bool is_ready = models != NULL;
    if (is_ready) {
        size_t count = candidates->len;
        candidate *all = gather(request, candidates, facts);
        size_t picked = order(all, count, loaded.among, request->seed, request->limit);
        if (picked) {
            ret->tag = OLLAMA_ROUTER_POLICY_TYPES_DECISION_ROUTE;
            route(all, count, picked, request->explain, &ret->val.route);
        } else {
            // No opinion: the host goes by the order of the view.
            ret->tag = OLLAMA_ROUTER_POLICY_TYPES_DECISION_ABSTAIN;
        }
        free(all);
    } else {
        policy_string_dup(err, "select without a catalogue: call `load-catalog` first");
    }
    ollama_router_policy_types_request_free(request);
    policy_list_u32_free(candidates);
    exports_ollama_router_policy_selector_list_fact_free(facts);
    return is_ready;
}
