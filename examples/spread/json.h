// A reader of JSON for settings: it steps over values and reads texts.

#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>

// What is left to read.
typedef struct {
    const char *at;
    const char *end;
} json;

// A part of the source.
typedef struct {
    const char *at;
    size_t length;
} piece;

// Takes a sign if it comes next, space apart.
bool json_take(json *rest, char sign);

// Reads a text, without its escapes. The caller frees it; NULL if it is none.
char *json_text(json *rest, size_t *length);

// Steps over one value, and says where it was. False if it is none, or nests
// deeper than sixteen times.
bool json_value(json *rest, piece *value);

#endif
