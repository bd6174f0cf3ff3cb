package io.muond.bench;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;

/** The client of {@link TcpServer}. */
final class TcpMoving implements Contender.Moving {
  private final Resident tensor;
  private final SocketChannel socket;
  private final ByteBuffer request = ByteBuffer.allocateDirect(Long.BYTES);

  TcpMoving(String address, long bytes) throws IOException {
    tensor = new Resident(bytes);
    int colon = address.lastIndexOf(':');
    socket =
        SocketChannel.open(
            new InetSocketAddress(
                address.substring(0, colon), Integer.parseInt(address.substring(colon + 1))));
    socket.setOption(StandardSocketOptions.TCP_NODELAY, true);
  }

  @Override
  public void push() throws IOException {
    ask(tensor.bytes());
    TcpServer.send(socket, tensor, tensor.bytes());
    TcpServer.fill(socket, request.clear().limit(1));
  }

  @Override
  public void pull() throws IOException {
    ask(-tensor.bytes());
    TcpServer.receive(socket, tensor, tensor.bytes());
  }

  private void ask(long bytes) throws IOException {
    request.clear().putLong(0, bytes);
    socket.write(request);
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
