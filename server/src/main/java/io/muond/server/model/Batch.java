package io.muond.server.model;

import static java.util.Objects.requireNonNull;

import io.muond.server.optimizer.BatchProgram;
import io.muond.server.optimizer.BatchSpec;
import java.util.List;

/**
 * Parameters of the same shape, manifold and rule, stepped together.
 *
 * @param members in the order of declaration; their matrices follow each other
 */
record Batch(BatchProgram program, List<ParameterSpec> members) {
  Batch {
    requireNonNull(program, "program is null");
    members = List.copyOf(members);
  }

  BatchSpec spec() {
    return program.spec();
  }

  boolean hasMomentum() {
    return spec().hasMomentum();
  }

  /** The parameter that a matrix of the batch belongs to, and the matrix's index in it. */
  Member member(int matrix) {
    int first = 0;
    for (ParameterSpec parameter : members) {
      if (matrix < first + parameter.matrices()) {
        return new Member(parameter, matrix - first);
      }
      first += parameter.matrices();
    }
    throw new IndexOutOfBoundsException("matrix " + matrix + " of " + first);
  }

  /** One matrix of a parameter. */
  record Member(ParameterSpec parameter, int matrix) {
    /** The row-major element index in the parameter of an element of this matrix. */
    long index(long element) {
      return matrix * parameter.rows() * parameter.columns() + element;
    }
  }
}
