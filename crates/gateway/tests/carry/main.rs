//! The gateway from outside: a client and an upstream played byte by byte over real sockets.

mod rig;

mod failures;
mod http1;
mod http2;
mod lifecycle;
