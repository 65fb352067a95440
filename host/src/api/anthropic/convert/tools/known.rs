//! Anthropic's tools that the client carries out, with what they take.
//!
//! Claude was taught them by name, so clients send no schema; other models need
//! one. Later versions of a tool differ in the client, not in what it is called
//! with, but for the tools that are a whole set: those are not known here.
//!
//! Outside fact: platform.claude.com/docs, the pages of these tools, November 2026.

use serde_json::{Value, json};

use crate::api::anthropic::wire::Tool;

/// What a model has to know of a tool.
pub(super) struct Known {
    pub(super) description: String,
    pub(super) schema: Value,
}

/// Returns what is known of a tool by its type, such as `bash_20250124`.
pub(super) fn tool(tool: &Tool<'_>) -> Option<Known> {
    let (family, version) = tool.kind.rsplit_once('_')?;
    if version.len() != 8 || !version.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match family {
        "bash" => Some(bash()),
        "computer" => Some(computer(tool)),
        "memory" => Some(memory()),
        "text_editor" => Some(text_editor()),
        _ => None,
    }
}

fn bash() -> Known {
    Known {
        description: "Runs a command in a bash session that goes on from call to call, and returns what it writes."
            .to_owned(),
        schema: json!({"type": "object", "properties": {
            "command": {"type": "string", "description": "The command to run; required unless `restart` is true."},
            "restart": {"type": "boolean", "description": "Whether to begin a new session."},
        }}),
    }
}

fn text_editor() -> Known {
    let commands = json!(["view", "create", "str_replace", "insert"]);
    Known {
        description: "Shows, makes and changes text files.".to_owned(),
        schema: json!({"type": "object", "required": ["command", "path"], "properties": {
            "command": {"type": "string", "enum": commands},
            "path": {"type": "string", "description": "The absolute path of a file or, for `view`, of a folder."},
            "view_range": {"type": "array", "items": {"type": "integer"},
                "description": "For `view`: the first and the last line, from 1; -1 is the end of the file."},
            "file_text": {"type": "string", "description": "For `create`: the content of the file."},
            "old_str": {"type": "string", "description": "For `str_replace`: the text to replace; it must occur once."},
            "new_str": {"type": "string", "description": "For `str_replace`: what takes its place."},
            "insert_line": {"type": "integer", "description": "For `insert`: the line after which to insert, 0 for the start."},
            "insert_text": {"type": "string", "description": "For `insert`: the text to insert."},
        }}),
    }
}

fn memory() -> Known {
    let commands = json!(["view", "create", "str_replace", "insert", "delete", "rename"]);
    Known {
        description: "Keeps what is to be remembered between conversations, as files in the folder /memories. \
            Look into it before you begin."
            .to_owned(),
        schema: json!({"type": "object", "required": ["command"], "properties": {
            "command": {"type": "string", "enum": commands},
            "path": {"type": "string", "description": "The path of a file or folder, for all but `rename`."},
            "view_range": {"type": "array", "items": {"type": "integer"}, "description": "For `view`: the first and the last line."},
            "file_text": {"type": "string", "description": "For `create`: the content of the file."},
            "old_str": {"type": "string", "description": "For `str_replace`: the text to replace."},
            "new_str": {"type": "string", "description": "For `str_replace`: what takes its place."},
            "insert_line": {"type": "integer", "description": "For `insert`: the line after which to insert."},
            "insert_text": {"type": "string", "description": "For `insert`: the text to insert."},
            "old_path": {"type": "string", "description": "For `rename`: what is renamed."},
            "new_path": {"type": "string", "description": "For `rename`: its new path."},
        }}),
    }
}

fn computer(tool: &Tool<'_>) -> Known {
    let size = match (tool.display_width_px, tool.display_height_px) {
        (Some(width), Some(height)) => format!(" It is {width} pixels wide and {height} high."),
        _ => String::new(),
    };
    let actions = json!([
        "screenshot",
        "left_click",
        "right_click",
        "middle_click",
        "double_click",
        "triple_click",
        "left_click_drag",
        "left_mouse_down",
        "left_mouse_up",
        "mouse_move",
        "cursor_position",
        "scroll",
        "type",
        "key",
        "hold_key",
        "wait",
        "zoom",
    ]);
    let point = json!({"type": "array", "items": {"type": "integer"}});
    let mut start = point.clone();
    start["description"] = json!("For `left_click_drag`: x and y where it begins.");
    Known {
        description: format!("Uses the screen, the keyboard and the mouse of a computer.{size}"),
        schema: json!({"type": "object", "required": ["action"], "properties": {
            "action": {"type": "string", "enum": actions},
            "coordinate": point,
            "start_coordinate": start,
            "text": {"type": "string", "description": "What to type, the keys to press, or the keys to hold during a click."},
            "scroll_direction": {"type": "string", "enum": ["up", "down", "left", "right"]},
            "scroll_amount": {"type": "integer"},
            "duration": {"type": "number", "description": "In seconds, for `wait` and `hold_key`."},
            "region": {"type": "array", "items": {"type": "integer"}, "description": "For `zoom`: x and y of two corners."},
        }}),
    }
}
