// What an operator may set for this policy, and what is wrong with it.

#ifndef SETTINGS_H
#define SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// JSON Schema of the settings. It says what `settings_parse` does.
extern const char SETTINGS_SCHEMA[];

typedef struct {
    // Over how many models requests are spread, the best ones.
    uint32_t among;
    // Whether only free models are visible.
    bool free_mode;
    // Whether only models that call tools are visible.
    bool tool_use_only;
    // Texts in small letters, one of which a model has to contain.
    char **patterns;
    size_t pattern_count;
} settings;

// A setting that cannot be used. The pointer is JSON's, and the caller's to free.
typedef struct {
    char *pointer;
    const char *message;
} wrong_setting;

// All that is wrong; what is beyond the limit is not told.
#define WRONG_LIMIT 16
typedef struct {
    wrong_setting all[WRONG_LIMIT];
    size_t count;
} wrong_settings;

// Reads a JSON object. What it does not mention has its default. After an error
// `read` is of no use, but may be freed.
bool settings_parse(const char *text, size_t length, settings *read, wrong_settings *wrong);

void settings_free(settings *read);

// Tells whether a model with this id and name passes the filter.
bool settings_pass(const settings *read, const char *id, size_t id_length, const char *name, size_t name_length);

#endif
