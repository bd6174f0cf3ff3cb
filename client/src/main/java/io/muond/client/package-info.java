/**
 * The client of muond: {@link io.muond.client.MuondClient} talks to a server, {@link
 * io.muond.client.ModelHandle} steps one model on it. Descriptions and reports are the messages of
 * {@code muond.v1}; tensors are {@link io.muond.client.Tensor} (small, in memory) or any {@link
 * io.muond.client.TensorData} (any size). Every failure is a {@link
 * io.muond.client.MuondException}.
 */
package io.muond.client;
