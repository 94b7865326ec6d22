# frozen_string_literal: true

require "openssl"

# Self-signed certificates for specs.
module Certificates
  Pair = Struct.new(:certificate, :key)

  def self.generate(name: "localhost", key: OpenSSL::PKey::EC.generate("prime256v1"))
    subject = OpenSSL::X509::Name.new([["CN", name]])
    certificate = OpenSSL::X509::Certificate.new
    certificate.version = 2
    certificate.serial = OpenSSL::BN.rand(64)
    certificate.subject = certificate.issuer = subject
    certificate.not_before = Time.now - 60
    certificate.not_after = Time.now + 3600
    certificate.public_key = key
    extensions = OpenSSL::X509::ExtensionFactory.new(certificate, certificate)
    certificate.add_extension(extensions.create_extension("subjectAltName", "DNS:#{name},IP:127.0.0.1"))
    certificate.sign(key, "SHA256")
    Pair.new(certificate.to_pem, key.to_pem)
  end
end
