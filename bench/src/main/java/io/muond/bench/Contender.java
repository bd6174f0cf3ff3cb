package io.muond.bench;

import java.io.IOException;

/** A way to move tensors between two processes. */
enum Contender {
  /** The service and its client. */
  MUOND,
  /** The service's messages, by gRPC and protobuf as they are generated. */
  PROTOBUF,
  /** Arrow Flight: DoPut and DoGet. */
  FLIGHT,
  /** Bytes over a socket, and nothing else. */
  TCP;

  /** A server of tensors, until it is closed. */
  interface Serving extends AutoCloseable {
    /** Where clients reach it. */
    String address();

    @Override
    void close() throws IOException;
  }

  /** A client with a tensor of one size in memory. */
  interface Moving extends AutoCloseable {
    /** Sends the tensor; returns when the server has it. */
    void push() throws Exception;

    /** Reads a tensor of that size into memory. */
    void pull() throws Exception;

    @Override
    void close() throws IOException;
  }

  /** Starts a server for tensors of at most so many bytes. MUOND's is the daemon, a process. */
  Serving serve(long bytes) throws Exception {
    return switch (this) {
      case PROTOBUF -> new ProtobufServer(bytes);
      case FLIGHT -> new FlightTensors(bytes);
      case TCP -> new TcpServer(bytes);
      case MUOND -> throw new IllegalArgumentException("the daemon is a process of its own");
    };
  }

  /** Connects a client. */
  Moving connect(String address, long bytes) throws Exception {
    return switch (this) {
      case MUOND -> new MuondMoving(address, bytes);
      case PROTOBUF -> new ProtobufMoving(address, bytes);
      case FLIGHT -> new FlightMoving(address, bytes);
      case TCP -> new TcpMoving(address, bytes);
    };
  }
}
