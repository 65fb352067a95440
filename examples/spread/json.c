// A reader of JSON for settings; see json.h.

#include "json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void skip_space(json *rest) {
    while (rest->at < rest->end && strchr(" \t\r\n", *rest->at) && *rest->at) rest->at++;
}

bool json_take(json *rest, char sign) {
    skip_space(rest);
    if (rest->at == rest->end || *rest->at != sign) return false;
    rest->at++;
    return true;
}

static bool hex(json *rest, uint32_t *number) {
    if (rest->end - rest->at < 4) return false;
    *number = 0;
    for (int place = 0; place < 4; place++) {
        char sign = *rest->at++;
        uint32_t digit;
        if (sign >= '0' && sign <= '9') digit = sign - '0';
        else if (sign >= 'a' && sign <= 'f') digit = sign - 'a' + 10;
        else if (sign >= 'A' && sign <= 'F') digit = sign - 'A' + 10;
        else return false;
        *number = *number * 16 + digit;
    }
    return true;
}

// Reads what follows `\u`, in two halves if it has to be, and writes UTF-8.
static bool unicode(json *rest, char *text, size_t *length) {
    uint32_t sign, low;
    if (!hex(rest, &sign)) return false;
    if (sign >= 0xd800 && sign < 0xe000) {
        if (sign >= 0xdc00 || rest->end - rest->at < 2 || rest->at[0] != '\\' || rest->at[1] != 'u') return false;
        rest->at += 2;
        if (!hex(rest, &low) || low < 0xdc00 || low > 0xdfff) return false;
        sign = 0x10000 + ((sign - 0xd800) << 10) + (low - 0xdc00);
    }
    if (sign < 0x80) {
        text[(*length)++] = (char)sign;
        return true;
    }
    int more = sign < 0x800 ? 1 : sign < 0x10000 ? 2 : 3;
    static const unsigned char first[] = {0, 0xc0, 0xe0, 0xf0};
    text[(*length)++] = (char)(first[more] | sign >> (6 * more));
    while (more-- > 0) text[(*length)++] = (char)(0x80 | (sign >> (6 * more) & 0x3f));
    return true;
}

char *json_text(json *rest, size_t *length) {
    if (!json_take(rest, '"')) return NULL;
    // A text is never longer than its source.
    char *text = malloc((size_t)(rest->end - rest->at) + 1);
    if (!text) return NULL;
    *length = 0;
    while (rest->at < rest->end) {
        char sign = *rest->at++;
        if (sign == '"') {
            text[*length] = 0;
            return text;
        }
        if ((unsigned char)sign < 0x20) break;
        if (sign != '\\') {
            text[(*length)++] = sign;
            continue;
        }
        if (rest->at == rest->end) break;
        sign = *rest->at++;
        static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
        const char *escape = sign ? strchr(from, sign) : NULL;
        if (escape) text[(*length)++] = to[escape - from];
        else if (sign != 'u' || !unicode(rest, text, length)) break;
    }
    free(text);
    return NULL;
}

static bool word(json *rest, const char *text) {
    size_t length = strlen(text);
    if ((size_t)(rest->end - rest->at) < length || memcmp(rest->at, text, length) != 0) return false;
    rest->at += length;
    return true;
}

static bool number(json *rest) {
    const char *start = rest->at;
    while (rest->at < rest->end && *rest->at && strchr("+-.0123456789eE", *rest->at)) rest->at++;
    return rest->at > start && *start != '+' && *start != '.' && *start != 'e' && *start != 'E';
}

static bool step(json *rest, int depth) {
    if (depth == 0) return false;
    skip_space(rest);
    if (rest->at == rest->end) return false;
    char open = *rest->at;
    if (open == '"') {
        size_t length;
        char *text = json_text(rest, &length);
        free(text);
        return text != NULL;
    }
    if (open != '[' && open != '{') return word(rest, "true") || word(rest, "false") || word(rest, "null") || number(rest);
    char close = open == '[' ? ']' : '}';
    rest->at++;
    if (json_take(rest, close)) return true;
    do {
        if (open == '{') {
            skip_space(rest);
            if (rest->at == rest->end || *rest->at != '"' || !step(rest, 1) || !json_take(rest, ':')) return false;
        }
        if (!step(rest, depth - 1)) return false;
    } while (json_take(rest, ','));
    return json_take(rest, close);
}

bool json_value(json *rest, piece *value) {
    skip_space(rest);
    value->at = rest->at;
    if (!step(rest, 16)) return false;
    value->length = (size_t)(rest->at - value->at);
    return true;
}
