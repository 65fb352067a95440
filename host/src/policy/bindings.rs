//! The contract's types and functions, generated from `wit/policy.wit`.
//!
//! Nothing else: what they mean is in the contract, how they become types of
//! the domain in `policy::convert`. The world with the optional interface is
//! bound, and each interface looked up by itself, so that one set of bindings
//! serves both worlds.

#![expect(missing_docs, reason = "generated")]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "policy-with-failover",
    imports: { default: trappable },
    exports: { default: async },
});
