// What the policy goes by, without a component: build.sh --test

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "order.h"
#include "settings.h"

static int failed, passed;

static void check(bool is_good, const char *what, const char *detail) {
    if (is_good) {
        passed++;
        return;
    }
    failed++;
    printf("FAILED: %s: %s\n", what, detail);
}

// Writes pointers of all that is wrong, separated by spaces; `good` if nothing is.
static char *parsed(const char *text, settings *read) {
    static char told[1000];
    wrong_settings wrong;
    bool is_good = settings_parse(text, strlen(text), read, &wrong);
    strcpy(told, is_good ? "good" : "");
    for (size_t place = 0; place < wrong.count; place++) {
        if (place) strcat(told, " ");
        strcat(told, wrong.all[place].pointer);
        free(wrong.all[place].pointer);
    }
    return told;
}

static void test_settings(void) {
    static const char *cases[][2] = {
        {"{}", "good"},
        {" { } ", "good"},
        {"{\"among\": 100, \"free_mode\": false, \"tool_use_only\": true, \"filter\": [\"a\"]}", "good"},
        {"", ""},
        {"{", ""},
        {"[]", ""},
        {"{} x", ""},
        {"{\"among\": 4,}", ""},
        {"{\"among\": \"\\ud800\"}", ""},
        {"{\"among\": 0}", "/among"},
        {"{\"among\": 101}", "/among"},
        {"{\"among\": 99999999999999999999}", "/among"},
        {"{\"among\": 1.5, \"free_mode\": 1}", "/among /free_mode"},
        {"{\"among\": \"4\", \"tool_use_only\": null}", "/among /tool_use_only"},
        {"{\"filter\": \"a\"}", "/filter"},
        {"{\"filter\": [\"a\", 7, {\"b\": [1, 2]}, \"c\"]}", "/filter/1 /filter/2"},
        {"{\"a/b~c\": {\"deep\": [[[[]]]]}}", "/a~1b~0c"},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", ""},
    };
    for (size_t place = 0; place < sizeof cases / sizeof *cases; place++) {
        settings read;
        const char *told = parsed(cases[place][0], &read);
        check(strcmp(told, cases[place][1]) == 0, cases[place][0], told);
        settings_free(&read);
    }
    settings read;
    parsed("{\"filter\": [\" GEM\\u006da:latest # yes\", \"\", \"# no\", \"\\u00e9\\ud83d\\ude00\"]}", &read);
    check(read.among == 4 && read.free_mode && !read.tool_use_only, "defaults", "");
    check(read.pattern_count == 2 && strcmp(read.patterns[0], "gemma") == 0, "patterns", "");
    check(read.pattern_count == 2 && strcmp(read.patterns[1], "\xc3\xa9\xf0\x9f\x98\x80") == 0, "escapes", "");
    check(settings_pass(&read, "google/Gemma-4", 14, "", 0), "part of the id", "");
    check(settings_pass(&read, "", 0, "A Gemma", 7), "part of the name", "");
    check(!settings_pass(&read, "google/gemm", 11, "a", 1), "no part", "");
    settings_free(&read);
}

// Five candidates: 3 costs something, 4 does not do what is wished.
static char *ordered(uint32_t among, uint64_t seed, uint32_t limit, int requested, int resting, size_t *picked) {
    static char told[64];
    candidate all[5];
    for (uint32_t place = 0; place < 5; place++) {
        all[place] = (candidate){
            .model = place,
            .is_free = place != 3,
            .is_requested = (int)place == requested,
            .grants = place != 4,
            .rests = (int)place <= resting,
            .cooldown_ms = 10 - place,
        };
    }
    *picked = order(all, 5, among, seed, limit);
    for (size_t place = 0; place < 5; place++) sprintf(told + 2 * place, "%u ", all[place].model);
    for (size_t place = 0; place < 5; place++) check(all[place].is_picked == (place < *picked), "picked first", told);
    return told;
}

static void test_order(void) {
    size_t picked;
    int first[5] = {0};
    for (uint64_t seed = 0; seed < 3000; seed++) {
        const char *told = ordered(3, seed, 9, -1, -1, &picked);
        check(strcmp(told + 6, "4 3 ") == 0 && picked == 4, "the others follow", told);
        first[told[0] - '0']++;
    }
    for (int place = 0; place < 3; place++) check(first[place] > 900 && first[place] < 1100, "evenly spread", "");
    check(strcmp(ordered(1, 7, 9, -1, -1, &picked), "0 1 2 4 3 ") == 0, "among one", "");
    check(strcmp(ordered(1, 7, 9, 2, -1, &picked), "2 0 1 4 3 ") == 0, "requested", "");
    check(strcmp(ordered(1, 7, 9, 3, -1, &picked), "3 0 1 2 4 ") == 0 && picked == 5, "who names what costs, pays", "");
    check(strcmp(ordered(1, 7, 9, 0, 1, &picked), "2 4 1 0 3 ") == 0, "what rests", "");
    check(strcmp(ordered(9, 7, 9, -1, 4, &picked), "4 2 1 0 3 ") == 0, "all rest", "");
    check((ordered(1, 7, 2, -1, -1, &picked), picked == 2), "the limit", "");
    check((ordered(1, 7, 0, -1, -1, &picked), picked == 1), "a route is never empty", "");
    check(order(NULL, 0, 4, 1, 4) == 0, "nobody", "");
}

int main(void) {
    test_settings();
    test_order();
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
