/**
 * Messages that carry tensors, without protobuf's copies: what is small is protobuf's own, the
 * bytes of tensors are read from where gRPC received them and written to where it sends them from.
 */
package io.muond.wire;
