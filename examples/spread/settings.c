// What an operator may set for this policy; see settings.h.

#include "settings.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"

#define AMONG_MAX 100
#define PATTERNS_MAX 1000
#define SPACE " \t\r\n"

const char SETTINGS_SCHEMA[] =
    "{\"$schema\": \"https://json-schema.org/draft/2020-12/schema\","
    " \"title\": \"Settings of the policy spread\", \"type\": \"object\", \"additionalProperties\": false,"
    " \"properties\": {"
    "\"among\": {\"type\": \"integer\", \"minimum\": 1, \"maximum\": 100, \"default\": 4, \"description\":"
    " \"Requests that name no model are spread over so many, those with the largest context.\"},"
    "\"free_mode\": {\"type\": \"boolean\", \"default\": true, \"description\": \"Only free models are visible.\"},"
    "\"tool_use_only\": {\"type\": \"boolean\", \"default\": false, \"description\":"
    " \"Only models that call tools are visible.\"},"
    "\"filter\": {\"type\": \"array\", \"items\": {\"type\": \"string\"}, \"maxItems\": 1000, \"default\": [],"
    " \"description\": \"Only models are visible whose id or name contains one of these texts,"
    " with or without `:latest`. What follows a `#` is a comment.\"}}}";

static char small(char sign) { return sign >= 'A' && sign <= 'Z' ? (char)(sign + 32) : sign; }

// Notes what is wrong with the setting `name`, or with its entry at `place`.
static void note(wrong_settings *wrong, const char *name, int place, const char *message) {
    if (wrong->count == WRONG_LIMIT) return;
    // A slash, each sign twice if it has to be escaped, another slash, a number.
    char *pointer = malloc(2 * (name ? strlen(name) : 0) + 16), *to = pointer;
    if (!pointer) return;
    if (name) *to++ = '/';
    for (; name && *name; name++) {
        if (*name == '~' || *name == '/') {
            *to++ = '~';
            *to++ = *name == '~' ? '0' : '1';
        } else {
            *to++ = *name;
        }
    }
    if (place >= 0) {
        char digits[12];
        int count = 0;
        do digits[count++] = (char)('0' + place % 10);
        while ((place /= 10) > 0);
        *to++ = '/';
        while (count > 0) *to++ = digits[--count];
    }
    *to = 0;
    wrong->all[wrong->count++] = (wrong_setting){pointer, message};
}

static bool is(piece value, const char *text) {
    return value.length == strlen(text) && memcmp(value.at, text, value.length) == 0;
}

static bool flag(piece value, const char *name, wrong_settings *wrong) {
    if (!is(value, "true") && !is(value, "false")) note(wrong, name, -1, "expected true or false");
    return is(value, "true");
}

static uint32_t among(piece value, const char *name, wrong_settings *wrong) {
    uint32_t number = 0;
    for (size_t place = 0; place < value.length; place++) {
        char sign = value.at[place];
        if (sign < '0' || sign > '9' || number > AMONG_MAX) {
            number = 0;
            break;
        }
        number = number * 10 + (uint32_t)(sign - '0');
    }
    if (number < 1 || number > AMONG_MAX) note(wrong, name, -1, "expected a whole number from 1 to 100");
    return number;
}

static void forget_patterns(settings *read) {
    for (size_t place = 0; place < read->pattern_count; place++) free(read->patterns[place]);
    free(read->patterns);
    read->patterns = NULL;
    read->pattern_count = 0;
}

// Leaves the pattern of a line: without the comment in it, and without the tag that names have in lists.
static void pattern(char *line) {
    size_t length = 0;
    for (; line[length]; length++) {
        if (line[length] == '#' && (length == 0 || strchr(SPACE, line[length - 1]))) break;
        line[length] = small(line[length]);
    }
    size_t start = strspn(line, SPACE), tag = sizeof ":latest" - 1;
    if (start > length) start = length;
    while (length > start && strchr(SPACE, line[length - 1])) length--;
    if (length - start > tag && memcmp(line + length - tag, ":latest", tag) == 0) length -= tag;
    memmove(line, line + start, length - start);
    line[length - start] = 0;
}

static void filter(piece value, settings *read, wrong_settings *wrong) {
    forget_patterns(read);
    json rest = {value.at, value.at + value.length};
    if (!json_take(&rest, '[')) {
        note(wrong, "filter", -1, "expected a list of texts");
        return;
    }
    read->patterns = calloc(PATTERNS_MAX, sizeof *read->patterns);
    for (int place = 0; read->patterns && !json_take(&rest, ']'); place++) {
        if (place == PATTERNS_MAX) {
            note(wrong, "filter", -1, "expected at most 1000 entries");
            return;
        }
        size_t length;
        piece entry;
        json before = rest;
        char *text = json_text(&rest, &length);
        if (!text) {
            note(wrong, "filter", place, "expected a text");
            rest = before;
            json_value(&rest, &entry);
        } else {
            pattern(text);
            if (*text) read->patterns[read->pattern_count++] = text;
            else free(text);
        }
        json_take(&rest, ',');
    }
}

bool settings_parse(const char *text, size_t length, settings *read, wrong_settings *wrong) {
    *read = (settings){.among = 4, .free_mode = true};
    wrong->count = 0;
    json rest = {text, text + length};
    json all = rest;
    piece value;
    bool sound = json_value(&all, &value) && json_take(&rest, '{');
    for (; sound && all.at < all.end; all.at++) sound = *all.at && strchr(SPACE, *all.at);
    if (!sound) {
        note(wrong, NULL, -1, "expected an object of settings");
        return false;
    }
    while (!json_take(&rest, '}')) {
        size_t name_length;
        char *name = json_text(&rest, &name_length);
        if (!name || !json_take(&rest, ':') || !json_value(&rest, &value)) {
            free(name);
            break;
        }
        if (strcmp(name, "among") == 0) read->among = among(value, name, wrong);
        else if (strcmp(name, "free_mode") == 0) read->free_mode = flag(value, name, wrong);
        else if (strcmp(name, "tool_use_only") == 0) read->tool_use_only = flag(value, name, wrong);
        else if (strcmp(name, "filter") == 0) filter(value, read, wrong);
        else note(wrong, name, -1, "unknown setting; there are among, free_mode, tool_use_only and filter");
        free(name);
        json_take(&rest, ',');
    }
    return wrong->count == 0;
}

void settings_free(settings *read) { forget_patterns(read); }

static bool holds(const char *text, size_t length, const char *pattern) {
    size_t wanted = strlen(pattern);
    for (size_t start = 0; start + wanted <= length; start++) {
        size_t same = 0;
        while (same < wanted && small(text[start + same]) == pattern[same]) same++;
        if (same == wanted) return true;
    }
    return false;
}

bool settings_pass(const settings *read, const char *id, size_t id_length, const char *name, size_t name_length) {
    for (size_t place = 0; place < read->pattern_count; place++) {
        const char *pattern = read->patterns[place];
        if (holds(id, id_length, pattern) || holds(name, name_length, pattern)) return true;
    }
    return read->pattern_count == 0;
}
