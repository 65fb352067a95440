// The thin side of the contract in wit/policy.wit: it keeps what the host loaded,
// and hands each call to a pure function. Whatever is thrown is the error of the
// call. Read next: settings.js (what an operator may set), vendors.js (who is
// visible, and who may answer).

import { SCHEMA, parse } from "./settings.js";
import { REASONS, decide, view } from "./vendors.js";

let settings;
let models;

export const lifecycle = {
  describe() {
    return {
      name: "vendor-allowlist",
      version: "0.1.0",
      summary: "Only models of the vendors that the operator allows, largest context first.",
      settingsSchema: SCHEMA,
      reasons: Object.values(REASONS),
    };
  },

  configure(json) {
    const read = parse(json);
    if (read.errors.length > 0) throw read.errors;
    settings = read.settings;
    models = undefined;
  },

  loadCatalog(_epoch, catalog) {
    if (settings === undefined) throw "load a catalogue without settings: call `configure` first";
    models = catalog;
    return view(settings, models);
  },
};

export const selector = {
  select(request, candidates, _facts) {
    if (models === undefined) throw "select without a catalogue: call `load-catalog` first";
    // Lists of numbers come as typed arrays.
    return decide(settings, models, request, Array.from(candidates));
  },
};
