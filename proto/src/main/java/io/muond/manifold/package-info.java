/** What goes together: manifolds, norms, views of tensors as matrices, and settings of rules. */
package io.muond.manifold;
