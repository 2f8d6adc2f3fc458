//! Nothing but its tests: loom's models of the engine's protocols, in a package of their own because they have to be
//! compiled with optimization.
