package io.muond.server.model;

import static java.util.Objects.requireNonNull;

import io.muond.server.optimizer.BatchProgram;
import io.muond.server.optimizer.BatchSpec;
import java.util.List;

/**
 * Pieces of parameters of the same shape, manifold, norm and rule, stepped together.
 *
 * @param members in the order of declaration; their matrices follow each other
 */
record Batch(BatchProgram program, List<Piece> members) {
  Batch {
    requireNonNull(program, "program is null");
    members = List.copyOf(members);
  }

  BatchSpec spec() {
    return program.spec();
  }

  /** The piece that a matrix of the batch belongs to, and the matrix's index in it. */
  Member member(int matrix) {
    int first = 0;
    for (Piece piece : members) {
      if (matrix < first + piece.matrices()) {
        return new Member(piece, matrix - first);
      }
      first += piece.matrices();
    }
    throw new IndexOutOfBoundsException("matrix " + matrix + " of " + first);
  }

  /** One matrix of a piece. */
  record Member(Piece piece, int matrix) {
    /** The row-major element index in the parameter of an element of this matrix. */
    long index(long element) {
      return piece.index(matrix, element);
    }
  }
}
