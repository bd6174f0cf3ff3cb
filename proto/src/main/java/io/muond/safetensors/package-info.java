/**
 * The safetensors format: eight bytes with the header's length (little-endian), a JSON header that
 * names the tensors, then their elements, row-major and little-endian.
 */
package io.muond.safetensors;
