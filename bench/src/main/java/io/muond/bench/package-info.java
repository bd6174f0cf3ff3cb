/** Streams of tensors, measured beside other ways to move them. */
package io.muond.bench;
