import { X509Certificate } from 'node:crypto';
import t from 'tap';
import { CertificateAuthority } from '../testing/certificates.ts';
import { certificateUserName } from './certificate-name.ts';

/** Subjects as OpenSSL prints them, and what RabbitMQ 3.10 makes of the same certificates. */
const RECORDED = [
  {
    subject:
      'C=DE\nST=Bayern\nL=München\nO=Foo\\, \\"Bar\\" \\<x\\>\\; Ltd\nOU=\\#second\\ \nDC=org\nUID=u1\n' +
      'emailAddress=a@b.de\nserialNumber=12\nGN=Gi\nSN=Sur\ninitials=GS\ntitle=Dr\nstreet=Weg 1\n' +
      'pseudonym=px\nCN=\\ client one\\ \nCN=two',
    distinguished:
      'CN=two,CN=\\ client one\\ ,PSEUDONYM=px,2.5.4.9=Weg 1,TITLE=Dr,INITIALS=GS,SN=Sur,GIVENNAME=Gi,' +
      'SERIALNUMBER=12,EMAILADDRESS=a@b.de,UID=u1,DC=org,OU=\\#second\\ ,' +
      'O=Foo\\, \\"Bar\\" \\<x\\>\\; Ltd,L=M\\C3\\BCnchen,ST=Bayern,C=DE',
    common: ' client one ,two',
  },
  {
    subject: 'O=Foo\nOU=x~y + CN=Jürgen\\, a\\0Ab\\09c',
    distinguished: 'OU=x\\7Ey+CN=J\\C3\\BCrgen\\, a\\0Ab\\09c,O=Foo',
    common: 'Jürgen, a\nb\tc',
  },
  {
    subject: 'O=Foo\nOU=x~y\\ ',
    distinguished: 'OU=x\\7Ey\\ ,O=Foo',
    common: null,
  },
  {
    subject: 'CN=日本\nbusinessCategory=bc\ndnQualifier=q\nname=n',
    distinguished: '2.5.4.41=n,2.5.4.46=q,2.5.4.15=bc,CN=\\E6\\97\\A5\\E6\\9C\\AC',
    common: '日本',
  },
] as const;

t.test('a subject is written as RabbitMQ writes it', async (t) => {
  for (const { subject, distinguished, common } of RECORDED) {
    t.equal(certificateUserName(subject, 'distinguished_name'), distinguished);
    t.equal(certificateUserName(subject, 'common_name'), common);
  }
});

t.test('an empty subject stands for nobody', async (t) => {
  t.equal(certificateUserName('', 'distinguished_name'), null);
  t.equal(certificateUserName('', 'common_name'), null);
  t.equal(certificateUserName('CN=', 'common_name'), null);
});

t.test(
  'a certificate that Node.js reads gives its subject in the form that is expected',
  async (t) => {
    const authority = await CertificateAuthority.create('test');
    for (const name of [
      'device-7',
      'a + b',
      'x+CN=y',
      '\\, "q" <>;',
      '#1',
      ' padded ',
      'Zoë 日本 🐇',
      'a=b',
      'two\nlines',
    ]) {
      const { cert } = await authority.issue({
        subject: [{ O: ['Ex + ample'] }, { CN: [{ utf8String: name }], OU: [{ utf8String: 'A' }] }],
      });
      const { subject } = new X509Certificate(cert);
      t.equal(certificateUserName(subject, 'common_name'), name);
    }
    const { cert } = await authority.issue({ subject: [{ O: ['Ex + ample'] }, { CN: ['x'] }] });
    const { subject } = new X509Certificate(cert);
    t.equal(certificateUserName(subject, 'distinguished_name'), 'CN=x,O=Ex \\+ ample');
  },
);
