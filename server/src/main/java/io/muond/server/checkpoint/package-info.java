/**
 * Models on disk. One checkpoint is a directory:
 *
 * <pre>
 *   DATA/lock                                          held while a store is open
 *   DATA/models/NAME/tombstone                         up to which one the checkpoints are a
 *                                                      deleted model's
 *   DATA/models/NAME/checkpoints/STEP-INCARNATION/
 *     weights.safetensors                              loads as is with any safetensors library
 *     state.safetensors                                momentum
 *     manifest.json                                    written last: commits the other two
 * </pre>
 */
package io.muond.server.checkpoint;
