// The order in which models are tried; see order.h.

#include "order.h"

#include <stdlib.h>

// What the order goes by, the smallest first. It fits in one number, so that
// sorting needs no more than that: class, rank within the class.
typedef struct {
    uint64_t key;
    candidate one;
} ranked;

enum { FIRST, TURN, REST, RESTS, OUT };

static uint64_t key(unsigned class, uint32_t rank) { return (uint64_t)class << 32 | rank; }

// SplitMix64: seeds that follow each other give numbers that do not.
static uint64_t mixed(uint64_t seed) {
    seed += 0x9e3779b97f4a7c15;
    seed = (seed ^ seed >> 30) * 0xbf58476d1ce4e5b9;
    seed = (seed ^ seed >> 27) * 0x94d049bb133111eb;
    return seed ^ seed >> 31;
}

// An insertion sort keeps the order of equals, and lists are short.
static void sort(ranked *all, size_t count) {
    for (size_t place = 1; place < count; place++) {
        ranked one = all[place];
        size_t to = place;
        for (; to > 0 && all[to - 1].key > one.key; to--) all[to] = all[to - 1];
        all[to] = one;
    }
}

size_t order(candidate *all, size_t count, uint32_t among, uint64_t seed, uint32_t limit) {
    ranked *sorted = calloc(count ? count : 1, sizeof *sorted);
    if (!sorted) abort();
    // How many take turns: the first that are ready, those that grant every wish
    // if there are any.
    size_t ready = 0, granting = 0;
    for (size_t place = 0; place < count; place++) {
        bool is_ready = !all[place].rests && all[place].is_free && !all[place].is_requested;
        ready += is_ready;
        granting += is_ready && all[place].grants;
    }
    size_t able = granting ? granting : ready;
    uint32_t turns = able < among ? (uint32_t)able : among;
    uint32_t start = turns ? (uint32_t)(mixed(seed) % turns) : 0, turn = 0;
    for (size_t place = 0; place < count; place++) {
        candidate one = all[place];
        one.is_picked = true;
        uint64_t at;
        if (!one.is_free && !one.is_requested) {
            one.is_picked = false;
            one.why = NOT_FREE;
            at = key(OUT, 0);
        } else if (one.rests) {
            one.why = LAST_RESORT;
            at = key(RESTS, one.cooldown_ms);
        } else if (one.is_requested) {
            one.why = REQUESTED;
            at = key(FIRST, 0);
        } else if (turn < turns && (one.grants || !granting)) {
            one.why = SPREAD;
            at = key(TURN, (turn++ + turns - start) % turns);
        } else {
            one.why = AFTER_THEM;
            at = key(REST, !one.grants);
        }
        sorted[place] = (ranked){at, one};
    }
    sort(sorted, count);
    size_t picked = 0;
    for (size_t place = 0; place < count; place++) {
        candidate *one = &sorted[place].one;
        if (one->is_picked && picked > 0 && picked >= limit) {
            one->is_picked = false;
            one->why = BEYOND_LIMIT;
        }
        picked += one->is_picked;
        all[place] = *one;
    }
    free(sorted);
    return picked;
}
