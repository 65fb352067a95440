// The order in which models are tried: a pure function of numbers.

#ifndef ORDER_H
#define ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Reasons. A code, once given, keeps its meaning.
enum {
    NOT_CHAT = 1,
    NOT_FREE = 2,
    NO_TOOLS = 3,
    FILTERED = 4,
    REQUESTED = 10,
    SPREAD = 11,
    AFTER_THEM = 12,
    LAST_RESORT = 13,
    BEYOND_LIMIT = 20,
};

// One candidate; the caller fills in all but the last two.
typedef struct {
    uint32_t model;
    // Requests to it cost nothing.
    bool is_free;
    // The client asked for it.
    bool is_requested;
    // It does what the request wishes besides.
    bool grants;
    // It failed lately, and rests for so long.
    bool rests;
    uint32_t cooldown_ms;
    // Filled in: why it is tried or left out, and whether it is tried.
    uint16_t why;
    bool is_picked;
} candidate;

// Sorts candidates, which come in the order of the view, into the order in which
// they are tried, those that are left out at the end. Returns how many are tried.
//
// The requested one is first; then, beginning anywhere, the first `among` of those
// that are ready; then the others; then what rests, the shortest rest first. What
// costs is left out unless it was asked for.
size_t order(candidate *all, size_t count, uint32_t among, uint64_t seed, uint32_t limit);

#endif
