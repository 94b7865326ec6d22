# frozen_string_literal: true

RSpec.describe "idle connections" do
  include Frames

  # So many that what the server holds besides does not count.
  let(:count) { 400 }
  # Bytes of resident memory.
  let(:most) { 26 * 1024 }

  def idle(server)
    RawConnection.open(server.port, tls: true).tap do |connection|
      connection.write(headers(1))
      expect(connection.status(1)).to eq(200)
    end
  end

  it "cost little memory each" do
    skip "the layout is that of glibc" unless RbConfig::CONFIG["host_os"].match?(/\Alinux(-gnu)?\z/)

    server = start_server(app: ServerHelper::HELLO, tls: true)
    # What the first ones bring along stays.
    connections = Array.new(50) { idle(server) }
    before = memory(server.pid)
    connections.concat(Array.new(count) { idle(server) })
    expect((memory(server.pid) - before) / count).to be < most
    expect(connections).not_to include(be_closed)
  end
end
